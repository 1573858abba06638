//! The rules in force: defaults, and what an operator put in their place.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    check::Check,
    defaults,
    document::{self, DocumentError},
    evaluate::{Outcome, Question},
    explain::Explanation,
    parse::ParseError,
    question::{Credentials, Target, Unseen},
};

/// A longer chain of rules that refer to each other is refused at loading.
const LONGEST_CHAIN: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// From the operator's file.
    Override,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub check: Check,
    pub origin: Origin,
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error("line {line}: rule '{name}': {reason}")]
    Rule { name: String, line: usize, reason: ParseError },
    #[error("default rule '{name}': {reason}")]
    Default { name: String, reason: ParseError },
    #[error("rule '{name}' refers to itself: {chain}")]
    Circle { name: String, chain: String },
    #[error("rule '{name}' refers to others over too many steps")]
    Chain { name: String },
}

/// By name. Made whole before the first question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    rules: BTreeMap<String, Rule>,
}

impl Rules {
    /// Neutron's default rules and Navigator's own.
    pub fn neutron() -> Result<Self, LoadError> {
        let mut rules = Self::default();
        for (name, text) in defaults::table() {
            rules.register(&name, &text)?;
        }
        Ok(rules)
    }

    /// Adds a default rule, unless there is one of this name.
    pub fn register(&mut self, name: &str, text: &str) -> Result<(), LoadError> {
        if !self.rules.contains_key(name) {
            let check = text
                .parse()
                .map_err(|reason| LoadError::Default { name: name.to_owned(), reason })?;
            self.rules.insert(name.to_owned(), Rule { check, origin: Origin::Default });
        }
        Ok(())
    }

    /// Puts the rules of an operator's file in the place of the defaults. Answers with the names
    /// that no default has and no other rule refers to: misspelt, most likely.
    pub fn replace(&mut self, text: &str) -> Result<Vec<String>, LoadError> {
        let mut own = Vec::new();
        for entry in document::read(text)? {
            let check = entry.check().map_err(|reason| LoadError::Rule {
                name: entry.name.clone(),
                line: entry.line,
                reason,
            })?;
            if !self.rules.contains_key(&entry.name) {
                own.push(entry.name.clone());
            }
            self.rules.insert(entry.name, Rule { check, origin: Origin::Override });
        }
        self.check_chains()?;
        let mut used = BTreeSet::new();
        for rule in self.rules.values() {
            used.extend(references(&rule.check));
        }
        own.retain(|name| !used.contains(name.as_str()));
        Ok(own)
    }

    pub fn get(&self, name: &str) -> Option<&Rule> {
        self.rules.get(name)
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.iter().map(|(name, rule)| (name.as_str(), rule))
    }

    /// References to rules that do not exist, with the rule that makes them: those deny.
    pub fn dangling(&self) -> Vec<(&str, &str)> {
        let all = self.iter().flat_map(|(name, rule)| {
            references(&rule.check).into_iter().map(move |other| (name, other))
        });
        all.filter(|(_, other)| !self.rules.contains_key(*other)).collect()
    }

    /// Whether a caller with these credentials may do it; without a rule of this name, no.
    pub fn decide(&self, name: &str, who: &dyn Credentials, what: &dyn Target) -> Outcome {
        Question { rules: self, credentials: who, target: what }.rule(name, 0)
    }

    /// [`Rules::decide`] with the reasons.
    pub fn explain(&self, name: &str, who: &dyn Credentials, what: &dyn Target) -> Explanation {
        Question { rules: self, credentials: who, target: what }.explain_rule(name, 0)
    }

    /// The rules whose names go on after this one and a colon, with how they go on:
    /// `create_network:shared` and `shared` below `create_network`.
    pub fn below<'a>(
        &'a self,
        name: &str,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'a Check)> + use<'a> {
        let prefix = format!("{name}:");
        self.rules.range(prefix.clone()..).map_while(move |(name, rule)| {
            Some((name.as_str(), name.strip_prefix(&prefix)?, &rule.check))
        })
    }

    /// The checks on the target that are left for a caller with these credentials, as texts. `None`
    /// if one of them counts when it does not hold.
    pub fn open_leaves(&self, name: &str, who: &dyn Credentials) -> Option<BTreeSet<String>> {
        let mut leaves = BTreeSet::new();
        let question = Question { rules: self, credentials: who, target: &Unseen };
        question.open_leaves(&Check::Rule(name.to_owned()), &mut leaves).then_some(leaves)
    }

    /// The rule's check, and those of all rules that it refers to.
    pub fn closure(&self, name: &str) -> Vec<&Rule> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
        let mut found = Vec::new();
        while let Some(name) = open.pop() {
            let Some(rule) = self.rules.get(&name) else { continue };
            if seen.insert(name) {
                open.extend(references(&rule.check).into_iter().map(str::to_owned));
                found.push(rule);
            }
        }
        found
    }

    fn check_chains(&self) -> Result<(), LoadError> {
        let mut lengths = BTreeMap::new();
        for name in self.rules.keys() {
            self.check_chain(name, &mut Vec::new(), &mut lengths)?;
        }
        Ok(())
    }

    /// How many rules stand behind one another from here on.
    fn check_chain<'a>(
        &'a self,
        name: &'a str,
        chain: &mut Vec<&'a str>,
        lengths: &mut BTreeMap<&'a str, usize>,
    ) -> Result<usize, LoadError> {
        if let Some(first) = chain.iter().position(|earlier| *earlier == name) {
            let chain = format!("{} → {name}", chain[first..].join(" → "));
            return Err(LoadError::Circle { name: name.to_owned(), chain });
        }
        if let Some(length) = lengths.get(name) {
            return Ok(*length);
        }
        let Some(rule) = self.rules.get(name) else { return Ok(0) };
        let mut length = 1;
        if chain.len() < LONGEST_CHAIN {
            chain.push(name);
            for other in references(&rule.check) {
                length = length.max(1 + self.check_chain(other, chain, lengths)?);
            }
            chain.pop();
        }
        if length >= LONGEST_CHAIN || chain.len() >= LONGEST_CHAIN {
            return Err(LoadError::Chain { name: name.to_owned() });
        }
        lengths.insert(name, length);
        Ok(length)
    }
}

fn references(check: &Check) -> Vec<&str> {
    let mut names = Vec::new();
    check.walk(&mut |part| {
        if let Check::Rule(name) = part {
            names.push(name.as_str());
        }
    });
    names
}

#[cfg(test)]
mod tests;
