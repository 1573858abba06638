//! Why a question was answered as it was.

use std::fmt;

use crate::{
    check::Check,
    evaluate::{Outcome, Question},
    question::Value,
};

/// Deeper is a circle.
const DEEPEST: usize = 200;

/// A check with its outcome, and those that it is made of. Unlike a decision, it looks at all of
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub text: String,
    pub outcome: Outcome,
    /// What the target says where that decided; that a rule does not exist.
    pub note: String,
    pub parts: Vec<Self>,
}

impl Question<'_> {
    pub(crate) fn explain_rule(&self, name: &str, depth: usize) -> Explanation {
        let text = format!("rule:{name}");
        let (outcome, note, parts) = match self.rules.get(name) {
            Some(rule) if depth < DEEPEST => {
                let part = self.explain(&rule.check, depth + 1);
                (part.outcome, String::new(), vec![part])
            }
            Some(_) => (Outcome::Deny, "a circle of rules".to_owned(), Vec::new()),
            None => (Outcome::Deny, "there is no such rule".to_owned(), Vec::new()),
        };
        Explanation { text, outcome, note, parts }
    }

    fn explain(&self, check: &Check, depth: usize) -> Explanation {
        if let Check::Rule(name) = check {
            return self.explain_rule(name, depth);
        }
        let text = match check {
            Check::And(_) => "all of".to_owned(),
            Check::Or(_) => "any of".to_owned(),
            Check::Not(_) => "not".to_owned(),
            leaf => leaf.to_string(),
        };
        Explanation {
            text,
            outcome: self.check(check, depth),
            note: self.note(check),
            parts: check.parts().iter().map(|part| self.explain(part, depth)).collect(),
        }
    }

    fn note(&self, check: &Check) -> String {
        let mut seen: Vec<String> = check
            .attributes()
            .map(|name| format!("{name} is {}", shown(&self.target.value(name))))
            .collect();
        if let Check::Field(field) = check {
            let value = self.target.field(&field.resource, &field.attribute);
            seen.push(format!("{} is {}", field.attribute, shown(&value)));
        }
        seen.join(", ")
    }
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Absent => "not there".to_owned(),
        Value::Unknown => "not known".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Text(text) => format!("'{text}'"),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "yes",
            Self::Deny => "no",
            Self::Depends => "depends",
        })
    }
}

impl Explanation {
    fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        write!(f, "{:indent$}{}: {}", "", self.text, self.outcome)?;
        if !self.note.is_empty() {
            write!(f, " ({})", self.note)?;
        }
        for part in &self.parts {
            writeln!(f)?;
            part.write(f, indent + 2)?;
        }
        Ok(())
    }
}

/// One line per check, indented below what it is part of.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}
