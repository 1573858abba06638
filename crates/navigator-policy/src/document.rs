//! Reads an operator's file of rules: YAML's flat maps of names to texts, or JSON. Whatever else
//! YAML can say is refused with its line, so that nothing is ever read otherwise than it was meant.

use serde_json::Value;

use crate::{
    check::Check,
    parse::{self, ParseError},
};

mod json;
mod scalar;

/// One rule of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    /// Counted from 1.
    pub line: usize,
    pub written: Written,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    Text(String),
    /// The old form of lists in lists.
    Lists(Value),
}

impl Entry {
    pub fn check(&self) -> Result<Check, ParseError> {
        match &self.written {
            Written::Text(text) => text.parse(),
            Written::Lists(value) => parse::lists(value),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct DocumentError {
    pub line: usize,
    pub reason: String,
}

pub(crate) fn fail<T>(line: usize, reason: impl Into<String>) -> Result<T, DocumentError> {
    Err(DocumentError { line, reason: reason.into() })
}

/// The rules of a `policy.yaml` or `policy.json`, in order. No name comes twice.
pub fn read(text: &str) -> Result<Vec<Entry>, DocumentError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let entries = match text.trim_start().chars().next() {
        Some('{') => json::entries(text)?,
        _ => yaml(text)?,
    };
    for (index, entry) in entries.iter().enumerate() {
        if entries[..index].iter().any(|earlier| earlier.name == entry.name) {
            return fail(entry.line, format!("'{}' is there twice", entry.name));
        }
    }
    Ok(entries)
}

/// A line with its number, without the line break.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        let text = self.text.trim_start();
        text.is_empty() || text.starts_with('#')
    }

    fn is_indented(&self) -> bool {
        self.text.starts_with([' ', '\t'])
    }
}

fn yaml(text: &str) -> Result<Vec<Entry>, DocumentError> {
    let lines: Vec<Line<'_>> = text
        .lines()
        .enumerate()
        .map(|(index, text)| Line { number: index + 1, text: text.trim_end() })
        .collect();
    let mut entries = Vec::new();
    let mut rest = lines.as_slice();
    while let Some((line, after)) = rest.split_first() {
        rest = after;
        let opens = line.text == "---" && entries.is_empty();
        if line.is_blank() || opens {
            continue;
        }
        if line.text.starts_with("---") || line.text.starts_with("...") {
            return fail(line.number, "only one document is read");
        }
        if line.is_indented() {
            return fail(line.number, "indented, but belongs to no rule");
        }
        let (name, value) = scalar::key(*line)?;
        let followers = rest.iter().take_while(|l| l.text.is_empty() || l.is_indented()).count();
        let (own, after) = rest.split_at(followers);
        rest = after;
        let written = scalar::value(Line { number: line.number, text: value }, own)?;
        entries.push(Entry { name, line: line.number, written });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
