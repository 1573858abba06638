//! One rule as a tree, and its text. Printing and parsing are inverse.

use std::fmt;

use regex_automata::meta::Regex;

/// `And` and `Or` hold at least two checks, none of their own kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// `@` or nothing at all: everybody.
    Always,
    /// `!`: nobody.
    Never,
    /// `rule:x`.
    Rule(String),
    /// `role:x`, in any case.
    Role(Template),
    /// `field:networks:shared=True`.
    Field(Field),
    /// `project_id:%(project_id)s`: what is known of the caller against what the target says.
    Credential {
        name: String,
        value: Template,
    },
    /// `'admin':%(name)s`, `True:%(shared)s`: a fixed text against what the target says.
    Literal {
        literal: Literal,
        value: Template,
    },
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

/// What stands left of the colon and is no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// As it was quoted.
    Quoted { quote: char, text: String },
    /// `True`, `False`, `None` or an integer.
    Bare(String),
}

impl Literal {
    pub fn text(&self) -> &str {
        match self {
            Self::Quoted { text, .. } | Self::Bare(text) => text,
        }
    }
}

/// Text with `%(attribute)s` of the target in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Attribute(String),
}

/// `field:<resource>:<attribute>=<pattern>`.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As in the rule: `networks`, also `port`.
    pub resource: String,
    pub attribute: String,
    pub pattern: Pattern,
}

#[derive(Clone)]
pub enum Pattern {
    Equals(String),
    /// `~^network:`: matches from the value's beginning.
    Matches(Regex, String),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self})")
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(text) => f.write_str(text),
            Self::Matches(_, text) => write!(f, "~{text}"),
        }
    }
}

impl Check {
    /// All of them; without any, everybody.
    pub fn and(checks: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for check in checks {
            match check {
                Self::And(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        match all.len() {
            0 => Self::Always,
            1 => all.swap_remove(0),
            _ => Self::And(all),
        }
    }

    /// Any of them; without any, everybody, as in oslo.policy's lists.
    pub fn or(checks: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Vec::new();
        for check in checks {
            match check {
                Self::Or(inner) => any.extend(inner),
                other => any.push(other),
            }
        }
        match any.len() {
            0 => Self::Always,
            1 => any.swap_remove(0),
            _ => Self::Or(any),
        }
    }

    /// Itself and everything below it.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        for part in self.parts() {
            part.walk(visit);
        }
    }

    /// What it is made of, if it is no leaf.
    pub fn parts(&self) -> &[Self] {
        match self {
            Self::Not(inner) => std::slice::from_ref(inner),
            Self::And(parts) | Self::Or(parts) => parts,
            _ => &[],
        }
    }

    /// The target's attributes that a leaf compares with, not those of the rules it refers to.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        let template = match self {
            Self::Role(value) | Self::Credential { value, .. } | Self::Literal { value, .. } => {
                value.0.as_slice()
            }
            _ => &[],
        };
        template.iter().filter_map(|part| match part {
            Part::Attribute(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// How tightly it holds its parts together.
    fn strength(&self) -> u8 {
        match self {
            Self::Or(_) => 0,
            Self::And(_) => 1,
            _ => 2,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str, least| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    f.write_str(word)?;
                }
                part.write(f, least)?;
            }
            Ok(())
        };
        let grouped = self.strength() < least;
        if grouped {
            f.write_str("(")?;
        }
        match self {
            Self::Always => f.write_str("@"),
            Self::Never => f.write_str("!"),
            Self::Rule(name) => write!(f, "rule:{name}"),
            Self::Role(value) => write!(f, "role:{value}"),
            Self::Field(field) => {
                write!(f, "field:{}:{}={}", field.resource, field.attribute, field.pattern)
            }
            Self::Credential { name, value } => write!(f, "{name}:{value}"),
            Self::Literal { literal: Literal::Bare(text), value } => write!(f, "{text}:{value}"),
            Self::Literal { literal: Literal::Quoted { quote, text }, value } => {
                write!(f, "{quote}{text}{quote}:{value}")
            }
            Self::Not(inner) => f.write_str("not ").and_then(|()| inner.write(f, 2)),
            Self::And(parts) => joined(f, parts, " and ", 2),
            Self::Or(parts) => joined(f, parts, " or ", 1),
        }?;
        if grouped {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Text(text) => f.write_str(&text.replace('%', "%%"))?,
                Part::Attribute(name) => write!(f, "%({name})s")?,
            }
        }
        Ok(())
    }
}
