//! `navigator policy`: the rules in force, and why one of them allows or denies.

use std::{borrow::Cow, collections::BTreeMap};

use anyhow::bail;
use clap::Subcommand;
use navigator_api::Policy;
use navigator_policy::{Origin, Outcome, Target, Value};
use navigator_resources::Caller;

#[derive(Subcommand)]
pub(crate) enum PolicyAction {
    /// Say whether a caller may do something, and why. Ends with status 1 if not.
    Check {
        /// Name of the rule, such as `update_port`.
        #[arg(long)]
        rule: String,
        /// The caller: `roles=member,reader,project=ID,user=ID,domain=ID,system=all,service_roles=service`.
        #[arg(long = "as")]
        caller: String,
        /// Attributes of the object: `project_id=ID,shared=true,network:project_id=ID`. Those that
        /// are not named are not there.
        #[arg(long, default_value = "")]
        target: String,
    },
    /// Print every rule; those of the operator's file are marked with `*`.
    List,
    /// Print every route with the rule that decides on it; `-`: everybody with a token.
    Routes,
}

/// Answers whether what was asked is allowed.
pub(crate) fn run(policy: &Policy, action: &PolicyAction) -> anyhow::Result<bool> {
    match action {
        PolicyAction::List => {
            for (name, rule) in policy.rules().iter() {
                let mark = if rule.origin == Origin::Override { "* " } else { "" };
                println!("{mark}{name}: {}", rule.check);
            }
            Ok(true)
        }
        PolicyAction::Routes => {
            for route in navigator_api::guarded_routes() {
                let rule = route.rule.as_deref().unwrap_or("-");
                println!("{:6} {} {rule}", route.method, route.path);
            }
            Ok(true)
        }
        PolicyAction::Check { rule, caller, target } => {
            let caller = policy.recognize(read_caller(caller)?);
            if let Some(scope) = caller.beyond_projects() {
                println!("denied\na token of scope {scope} is of no project");
                return Ok(false);
            }
            let explanation = policy.explain(&caller, rule, &Attributes::read(target)?);
            let allowed = explanation.outcome == Outcome::Allow;
            println!("{}", if allowed { "allowed" } else { "denied" });
            println!("{explanation}");
            Ok(allowed)
        }
    }
}

/// `name=value,…`; a value without a name belongs to the name before it.
fn pairs(text: &str) -> anyhow::Result<Vec<(&str, &str)>> {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match (part.split_once('='), pairs.last()) {
            (Some(pair), _) => pairs.push(pair),
            (None, Some((name, _))) => pairs.push((name, part)),
            (None, None) => bail!("'{part}': expected name=value"),
        }
    }
    Ok(pairs)
}

fn read_caller(text: &str) -> anyhow::Result<Caller> {
    let mut caller = Caller::default();
    for (name, value) in pairs(text)? {
        match name {
            "roles" | "role" => caller = caller.with_roles([value]),
            "service_roles" => drop(caller.service_roles.insert(value.to_owned())),
            "project" | "project_id" => caller.project_id = value.into(),
            "user" | "user_id" => value.clone_into(&mut caller.user_id),
            "domain" | "domain_id" => caller.domain_id = Some(value.to_owned()),
            "system" | "system_scope" => caller.system_scope = Some(value.to_owned()),
            _ => bail!("'{name}': expected roles, service_roles, project, user, domain or system"),
        }
    }
    Ok(caller)
}

struct Attributes<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Attributes<'a> {
    fn read(text: &'a str) -> anyhow::Result<Self> {
        Ok(Self(pairs(text)?.into_iter().collect()))
    }
}

impl Target for Attributes<'_> {
    fn value(&self, name: &str) -> Value<'_> {
        match self.0.get(name) {
            None => Value::Absent,
            Some(text) if text.eq_ignore_ascii_case("true") => Value::Bool(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Value::Bool(false),
            Some(text) => Value::Text(Cow::Borrowed(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn check(rule: &str, caller: &str, target: &str) -> bool {
        let action = PolicyAction::Check {
            rule: rule.to_owned(),
            caller: caller.to_owned(),
            target: target.to_owned(),
        };
        run(&Policy::new(None).unwrap(), &action).unwrap()
    }

    #[test]
    fn a_decision_is_found_from_words() {
        assert!(check("update_port", "roles=member,project=p", "project_id=p"));
        assert!(!check("update_port", "roles=reader,project=p", "project_id=p"));
        assert!(!check("update_port", "roles=member,project=p", "project_id=q"));
        assert!(check("get_network", "roles=reader,project=p", "project_id=q,shared=true"));
        assert!(check("create_port", "roles=x,member,project=p", "network:project_id=p"));
        assert!(check("get_agent", "roles=admin", ""));
        assert!(!check("get_agent", "roles=admin,system=all", ""));
        assert!(!check("get_agent", "roles=admin,domain=d", ""));
        assert!(!check("no_such_rule", "roles=admin", ""));
        assert!(read_caller("colour=red").is_err());
    }
}
