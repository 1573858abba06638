//! Answers a question by a rule, as far as the target is known.

use std::{borrow::Cow, collections::BTreeSet};

use regex_automata::{Anchored, Input};

use crate::{
    check::{Check, Part, Pattern, Template},
    question::{Credentials, Target, Value},
    rules::Rules,
};

/// More is a circle of rules; loading refuses those already.
const DEEPEST: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Allow,
    Deny,
    /// On attributes of the target that are not known yet.
    Depends,
}

impl From<bool> for Outcome {
    fn from(holds: bool) -> Self {
        if holds { Self::Allow } else { Self::Deny }
    }
}

impl Outcome {
    fn not(self) -> Self {
        match self {
            Self::Allow => Self::Deny,
            Self::Deny => Self::Allow,
            Self::Depends => Self::Depends,
        }
    }

    /// Stops at the first that settles it.
    fn first(outcomes: impl Iterator<Item = Self>, settles: Self) -> Self {
        let mut result = settles.not();
        for outcome in outcomes {
            if outcome == settles {
                return settles;
            }
            if outcome == Self::Depends {
                result = Self::Depends;
            }
        }
        result
    }
}

pub(crate) struct Question<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) credentials: &'a dyn Credentials,
    pub(crate) target: &'a dyn Target,
}

impl Question<'_> {
    /// By name; one that does not exist denies.
    pub(crate) fn rule(&self, name: &str, depth: usize) -> Outcome {
        match self.rules.get(name) {
            Some(rule) if depth < DEEPEST => self.check(&rule.check, depth + 1),
            _ => Outcome::Deny,
        }
    }

    pub(crate) fn check(&self, check: &Check, depth: usize) -> Outcome {
        match check {
            Check::Always => Outcome::Allow,
            Check::Never => Outcome::Deny,
            Check::Rule(name) => self.rule(name, depth),
            Check::Role(role) => match self.filled(role) {
                Filled::Text { text, null: false } => self.credentials.has_role(&text).into(),
                Filled::Text { .. } | Filled::Absent => Outcome::Deny,
                Filled::Unknown => Outcome::Depends,
            },
            Check::Credential { name, value } => match self.filled(value) {
                // What belongs to nobody does not belong to a caller without that credential.
                Filled::Text { text, null } => {
                    (!null && !text.is_empty() && self.credentials.is(name, &text)).into()
                }
                Filled::Absent => Outcome::Deny,
                Filled::Unknown => Outcome::Depends,
            },
            Check::Literal { literal, value } => match self.filled(value) {
                Filled::Text { text, .. } => (text == literal.text()).into(),
                Filled::Absent => Outcome::Deny,
                Filled::Unknown => Outcome::Depends,
            },
            Check::Field(field) => {
                let value = self.target.field(&field.resource, &field.attribute);
                matches(&value, &field.pattern)
            }
            Check::Not(inner) => self.check(inner, depth).not(),
            Check::And(parts) => {
                Outcome::first(parts.iter().map(|part| self.check(part, depth)), Outcome::Deny)
            }
            Check::Or(parts) => {
                Outcome::first(parts.iter().map(|part| self.check(part, depth)), Outcome::Allow)
            }
        }
    }

    /// Collects the leaves that decide; answers whether each counts only when it holds.
    pub(crate) fn open_leaves(&self, check: &Check, leaves: &mut BTreeSet<String>) -> bool {
        if self.check(check, 0) != Outcome::Depends {
            return true;
        }
        match check {
            Check::Not(_) => false,
            Check::Rule(name) => {
                self.rules.get(name).is_none_or(|rule| self.open_leaves(&rule.check, leaves))
            }
            Check::And(parts) | Check::Or(parts) => {
                parts.iter().all(|part| self.open_leaves(part, leaves))
            }
            leaf => {
                leaves.insert(leaf.to_string());
                true
            }
        }
    }

    fn filled<'t>(&self, template: &'t Template) -> Filled<'t> {
        if let [Part::Text(plain)] = &template.0[..] {
            return Filled::Text { text: plain.into(), null: false };
        }
        let (mut text, mut null, mut unknown) = (String::new(), false, false);
        for part in &template.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Attribute(name) => match self.target.value(name) {
                    Value::Absent => return Filled::Absent,
                    Value::Unknown => unknown = true,
                    value => {
                        null |= value == Value::Null;
                        text.push_str(&value.text().unwrap_or_default());
                    }
                },
            }
        }
        if unknown { Filled::Unknown } else { Filled::Text { text: text.into(), null } }
    }
}

/// A template with the target's attributes in it.
enum Filled<'t> {
    /// `null`: an attribute in it is.
    Text {
        text: Cow<'t, str>,
        null: bool,
    },
    Absent,
    Unknown,
}

fn matches(value: &Value<'_>, pattern: &Pattern) -> Outcome {
    match (value, pattern) {
        (Value::Unknown, _) => Outcome::Depends,
        (Value::Absent | Value::Null, _) => Outcome::Deny,
        (Value::Bool(truth), Pattern::Equals(text)) => (Some(*truth) == boolean(text)).into(),
        (value, Pattern::Equals(text)) => (value.text().as_deref() == Some(text.as_str())).into(),
        (value, Pattern::Matches(regex, _)) => {
            let text = value.text().unwrap_or_default();
            regex.is_match(Input::new(text.as_ref()).anchored(Anchored::Yes)).into()
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
