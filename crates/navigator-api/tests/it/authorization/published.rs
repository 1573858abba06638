//! The published rules as data, and a small evaluator of them that shares nothing with
//! `navigator-policy`.

use std::collections::BTreeMap;

const PUBLISHED: &str = include_str!("published.txt");
const OWN: &str = include_str!("own.txt");
const ADDITIONS: &str = include_str!("additions.txt");

/// What the caller alone decides.
pub(super) const OF_CALLERS: [&str; 8] =
    ["admin", "manager", "member", "reader", "service", "advsvc", "integrator", "vouched"];

/// A word, and whether it must hold.
type Term = (&'static str, bool);
/// Alternatives, each of terms that must all be so.
pub(super) type Rule = Vec<Vec<Term>>;

pub(super) struct Table(pub(super) BTreeMap<String, Rule>);

fn rule(text: &'static str) -> Rule {
    let term = |word: &'static str| match word.strip_prefix('!') {
        Some(word) => (word, false),
        None => (word, true),
    };
    match text {
        "never" => Vec::new(),
        "always" => vec![Vec::new()],
        _ => text.split('|').map(|all| all.split_whitespace().map(term).collect()).collect(),
    }
}

fn read(text: &'static str) -> BTreeMap<String, Rule> {
    let (mut rules, mut current) = (BTreeMap::new(), Rule::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(alternatives) = line.strip_prefix("= ") {
            current = rule(alternatives);
            continue;
        }
        let names: Vec<String> = match line.split_once(": ") {
            None => line.split_whitespace().map(str::to_owned).collect(),
            Some((verbs, rest)) => rest
                .split_whitespace()
                .flat_map(|rest| verbs.split(',').map(move |verb| format!("{verb}_{rest}")))
                .collect(),
        };
        for name in names {
            assert!(rules.insert(name.clone(), current.clone()).is_none(), "{name} twice");
        }
    }
    rules
}

impl Table {
    pub(super) fn published() -> Self {
        Self(read(PUBLISHED))
    }

    /// Those that are not as published.
    pub(super) fn own() -> Self {
        Self(read(OWN))
    }

    /// As Navigator is to decide.
    pub(super) fn whole() -> Self {
        let mut all = read(PUBLISHED);
        all.extend(read(OWN));
        for (name, rule) in read(ADDITIONS) {
            assert!(all.insert(name.clone(), rule).is_none(), "{name} is published");
        }
        Self(all)
    }

    pub(super) fn rule(&self, name: &str) -> &Rule {
        self.0.get(name).unwrap_or_else(|| panic!("no published rule {name}"))
    }

    /// Whether the rule allows where these words hold.
    pub(super) fn allows(&self, name: &str, holds: &dyn Fn(&str) -> bool) -> bool {
        allows(self.rule(name), holds)
    }

    /// Whether it could, for some object.
    pub(super) fn ever_allows(&self, name: &str, holds: &dyn Fn(&str) -> bool) -> bool {
        let possible = |all: &Vec<Term>| {
            all.iter().all(|(word, wanted)| !OF_CALLERS.contains(word) || holds(word) == *wanted)
        };
        self.rule(name).iter().any(possible)
    }

    /// The rules whose names go on after this one and a colon.
    pub(super) fn below<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let prefix = format!("{name}:");
        self.0.keys().filter(move |known| known.starts_with(&prefix)).map(String::as_str)
    }
}

pub(super) fn allows(rule: &Rule, holds: &dyn Fn(&str) -> bool) -> bool {
    rule.iter().any(|all| all.iter().all(|(word, wanted)| holds(word) == *wanted))
}
