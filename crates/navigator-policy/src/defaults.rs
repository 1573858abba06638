//! The default rules, from `defaults.txt`: Neutron's names and what they allow, and Navigator's own.
//!
//! A line is `names = check`. Names are alternatives in braces, multiplied out:
//! `{create,update}_network:{shared,is_default}`. `$word` in a check stands for the check of the line
//! `$word = …`.

use std::collections::BTreeMap;

const TEXT: &str = include_str!("defaults.txt");

/// Names and checks, in the order of the text.
pub fn table() -> Vec<(String, String)> {
    let mut words: BTreeMap<&str, String> = BTreeMap::new();
    let mut rules = Vec::new();
    for line in TEXT.lines().map(str::trim) {
        let Some((names, check)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let check = expanded(check.trim(), &words);
        match names.trim().strip_prefix('$') {
            Some(word) => drop(words.insert(word, check)),
            None => rules.extend(
                names.split_whitespace().flat_map(multiplied).map(|name| (name, check.clone())),
            ),
        }
    }
    rules
}

/// Each `$word` in parentheses, so that `and` around it keeps its meaning.
fn expanded(check: &str, words: &BTreeMap<&str, String>) -> String {
    let word = |text: &str| {
        let core = text.trim_matches(['(', ')']);
        match core.strip_prefix('$').and_then(|name| words.get(name)) {
            Some(check) => text.replace(core, &format!("({check})")),
            None => text.to_owned(),
        }
    };
    check.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// `{a,b}_c` is `a_c` and `b_c`.
fn multiplied(pattern: &str) -> Vec<String> {
    let Some((before, (inner, after))) = pattern
        .split_once('{')
        .and_then(|(before, rest)| rest.split_once('}').map(|parts| (before, parts)))
    else {
        return vec![pattern.to_owned()];
    };
    let rests = multiplied(after);
    inner
        .split(',')
        .flat_map(|part| rests.iter().map(move |rest| format!("{before}{part}{rest}")))
        .collect()
}
