//! Who may do what, by the rules of `navigator-policy`: their names follow from the declarations
//! (`create_network`, `update_network:shared`), so that every resource and attribute is under them
//! without saying so.
//!
//! [`Access`] is what handlers ask. [`Guarded`] is the only way to mount a route: it says which
//! rules decide there, and a server with a route whose rule does not exist does not start.

use std::collections::{BTreeMap, BTreeSet};

use navigator_policy::{Credentials, Explanation, LoadError, Outcome, Rules, Target, Unseen};
use navigator_resources::{Attribute, Caller, Declaration, Refusal, Visitor, visit_all};

mod about;
mod access;
mod guarded;
mod in_force;
mod related;

pub(crate) use about::{About, Said};
pub(crate) use access::{Access, Hidden};
pub(crate) use guarded::Guarded;
pub use guarded::{GuardedRoute, UnregisteredRules};
pub use in_force::PolicyInForce;

/// Rules with what is known of them.
#[derive(Debug)]
pub struct Policy {
    rules: Rules,
    /// For each `get_…` rule the checks that lists answer in the database: those of its default.
    listed: BTreeMap<String, BTreeSet<String>>,
}

impl Policy {
    /// The default rules, with those of an operator's `policy.yaml` in their place.
    pub fn new(replacements: Option<&str>) -> Result<Self, LoadError> {
        let mut rules = Rules::neutron()?;
        let mut declared = Declared { rules: &mut rules, failed: Ok(()) };
        visit_all(&mut declared);
        declared.failed?;
        let names = rules.iter().map(|(name, _)| name).filter(|name| name.starts_with("get_"));
        let listed = names.map(|name| (name.to_owned(), leaves(&rules, name))).collect();
        if let Some(text) = replacements {
            for name in rules.replace(text)? {
                tracing::warn!(name, "no route and no other rule uses this policy rule");
            }
            for (name, missing) in rules.dangling() {
                tracing::warn!(
                    name,
                    missing,
                    "a policy rule refers to one that does not exist: it denies"
                );
            }
        }
        Ok(Self { rules, listed })
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Notes what decisions need to know of a caller beyond their identity.
    pub fn recognize(&self, mut caller: Caller) -> Caller {
        // Neither rule may ask for the outcome of itself.
        (caller.is_admin, caller.is_service) = (false, false);
        let holds = |rule| self.rules.decide(rule, &Who(&caller), &Unseen) == Outcome::Allow;
        let (is_admin, is_service) = (holds("context_is_admin"), holds("service_api"));
        Caller { is_admin, is_service, ..caller }
    }

    /// For routes that belong to no declared resource: 403 unless the rule holds for what is said
    /// of the target.
    pub(crate) fn authorize(&self, caller: &Caller, rule: &str, of: &Said) -> Result<(), Refusal> {
        match self.rules.decide(rule, &Who(caller), of) {
            Outcome::Allow => Ok(()),
            Outcome::Deny | Outcome::Depends => Err(forbidden(rule)),
        }
    }

    /// Whether a caller may do something to a target, and why.
    pub fn explain(&self, caller: &Caller, rule: &str, target: &dyn Target) -> Explanation {
        self.rules.explain(rule, &Who(caller), target)
    }

    /// The outcome as far as it does not depend on what it is about.
    fn always(&self, caller: &Caller, rule: &str) -> Outcome {
        self.rules.decide(rule, &Who(caller), &Unseen)
    }

    /// Whether the database already lists no more to this caller than what this rule allows, and
    /// no less.
    fn is_listed(&self, caller: &Caller, rule: &str) -> bool {
        let open = self.rules.open_leaves(rule, &Who(caller));
        open.is_some_and(|open| self.listed.get(rule).is_some_and(|known| open.is_subset(known)))
    }
}

fn forbidden(rule: &str) -> Refusal {
    Refusal::PolicyNotAuthorized { action: rule.to_owned() }
}

fn leaves(rules: &Rules, name: &str) -> BTreeSet<String> {
    let mut leaves = BTreeSet::new();
    for rule in rules.closure(name) {
        rule.check.walk(&mut |check| {
            if check.parts().is_empty() {
                leaves.insert(check.to_string());
            }
        });
    }
    leaves
}

/// Declarations that say themselves that something is for administrators get rules that say so.
struct Declared<'a> {
    rules: &'a mut Rules,
    failed: Result<(), LoadError>,
}

impl Declared<'_> {
    fn reserve(&mut self, name: &str) {
        let registered = self.rules.register(name, "rule:admin_only");
        if self.failed.is_ok() {
            self.failed = registered;
        }
    }

    fn attribute(&mut self, resource: &str, attribute: &Attribute) {
        let admin = attribute.admin;
        let verbs = [("create", admin.create), ("update", admin.update), ("get", admin.get)];
        for (verb, _) in verbs.into_iter().filter(|(_, reserved)| *reserved) {
            self.reserve(&format!("{verb}_{resource}:{}", attribute.name));
        }
    }
}

impl Visitor for Declared<'_> {
    fn visit<R: navigator_resources::Rules>(&mut self) {
        let declaration: &Declaration = R::declaration();
        let resource = declaration.policy_name();
        if declaration.admin_only {
            for verb in ["create", "get", "update", "delete"] {
                self.reserve(&format!("{verb}_{resource}"));
            }
        }
        for attribute in declaration.all() {
            self.attribute(&resource, attribute);
        }
    }
}

/// A caller as the rules see them. The names are oslo.context's.
struct Who<'a>(&'a Caller);

impl Credentials for Who<'_> {
    fn has_role(&self, role: &str) -> bool {
        self.0.roles.iter().any(|own| own.eq_ignore_ascii_case(role))
    }

    fn is(&self, name: &str, text: &str) -> bool {
        let caller = self.0;
        let truth = |truth| text == if truth { "True" } else { "False" };
        match name {
            "user_id" | "user" => caller.user_id == text,
            "project_id" | "tenant_id" | "tenant" => caller.project_id.0 == text,
            "user_domain_id" | "user_domain" => caller.user_domain_id == text,
            "project_domain_id" | "project_domain" => caller.project_domain_id == text,
            "domain_id" | "domain" => caller.domain_id.as_deref() == Some(text),
            "system_scope" => caller.system_scope.as_deref() == Some(text),
            "roles" => caller.roles.contains(text),
            "service_roles" => caller.service_roles.contains(text),
            "is_admin" => truth(caller.is_admin),
            // Keystone knows no such project any more: every project is one.
            "is_admin_project" => truth(true),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
