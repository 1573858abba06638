//! Keys and values of YAML's flat maps: plain, quoted, and block texts. Line breaks inside a value
//! become spaces: rules do not tell them apart.

use serde_json::Value;

use super::{DocumentError, Line, Written, fail};

/// The key of a line, and what follows its colon.
pub(super) fn key<'a>(line: Line<'a>) -> Result<(String, &'a str), DocumentError> {
    let text = line.text;
    let (name, rest) = match text.chars().next() {
        Some('"' | '\'') => quoted(line.number, text)?,
        Some('[' | ']' | '{' | '}' | '-' | '?' | '&' | '*' | '!' | '|' | '>' | '%' | '@' | '`') => {
            return fail(line.number, "expected a rule's name, a colon and its check");
        }
        _ => {
            let end = text.find(": ").or_else(|| text.strip_suffix(':').map(str::len));
            let Some(end) = end.filter(|end| *end > 0) else {
                return fail(line.number, "expected a rule's name, a colon and its check");
            };
            (text[..end].trim_end().to_owned(), &text[end..])
        }
    };
    if name.contains(" #") {
        return fail(line.number, "a comment where a rule's name belongs");
    }
    if name == "<<" || name.is_empty() {
        return fail(line.number, "this is no name of a rule");
    }
    match rest.trim_start().strip_prefix(':') {
        Some(value) if value.is_empty() || value.starts_with([' ', '\t']) => {
            Ok((name, value.trim_start()))
        }
        _ => fail(line.number, "expected a colon and a space after the name"),
    }
}

/// The value that begins behind the colon and goes on in the indented lines below.
pub(super) fn value(first: Line<'_>, below: &[Line<'_>]) -> Result<Written, DocumentError> {
    if let Some(line) = below.iter().find(|line| tab(line.text)) {
        return fail(line.number, "a tab in the indentation");
    }
    match first.text.chars().next() {
        Some('>' | '|') => block(first, below).map(Written::Text),
        Some('"' | '\'') => {
            let whole = joined(first, below, |_| true);
            let (text, rest) = quoted(first.number, &whole)?;
            only_comment(first.number, rest)?;
            Ok(Written::Text(text))
        }
        Some('[') => {
            let whole = joined(first, below, |line| !line.is_blank());
            list(first.number, &whole).map(Written::Lists)
        }
        _ => plain(first, below).map(Written::Text),
    }
}

fn tab(text: &str) -> bool {
    text.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t')
}

fn joined(first: Line<'_>, below: &[Line<'_>], wanted: impl Fn(&Line<'_>) -> bool) -> String {
    let below = below.iter().filter(|line| wanted(line)).map(|line| line.text.trim());
    std::iter::once(first.text).chain(below).collect::<Vec<_>>().join(" ").trim_end().to_owned()
}

fn only_comment(line: usize, rest: &str) -> Result<(), DocumentError> {
    let text = rest.trim_start();
    if text.is_empty() || (text.starts_with('#') && text.len() < rest.len()) {
        return Ok(());
    }
    fail(line, format!("'{text}' after the closing quote"))
}

/// Without a comment at its end.
fn uncommented(text: &str) -> &str {
    if text.starts_with('#') {
        return "";
    }
    text.find(" #").map_or(text, |at| &text[..at]).trim_end()
}

fn plain(first: Line<'_>, below: &[Line<'_>]) -> Result<String, DocumentError> {
    let mut words = Vec::new();
    for line in std::iter::once(&first).chain(below) {
        let text = uncommented(line.text.trim_start());
        if text.is_empty() {
            continue;
        }
        if text.contains(": ") || text.ends_with(':') {
            return fail(line.number, "a map in a map; or put the check in quotes");
        }
        if words.is_empty()
            && text.starts_with(['&', '*', '!', '%', '@', '`', '{', ']', '}', ',', '-', '?'])
        {
            return fail(line.number, "put this check in quotes");
        }
        words.push(text);
    }
    if words.is_empty() {
        return fail(first.number, "no check: write \"\" to allow everybody, \"!\" for nobody");
    }
    Ok(words.join(" "))
}

fn block(first: Line<'_>, below: &[Line<'_>]) -> Result<String, DocumentError> {
    let header = uncommented(first.text);
    if !matches!(header.get(1..), Some("" | "-" | "+")) {
        return fail(first.number, "only >, |, and these with - or + begin a block");
    }
    let words: Vec<&str> =
        below.iter().map(|line| line.text.trim()).filter(|t| !t.is_empty()).collect();
    // In a block a comment would be part of the text.
    if let Some(line) = below.iter().find(|line| line.text.trim_start().starts_with('#')) {
        return fail(line.number, "no comments inside a block");
    }
    if words.is_empty() {
        return fail(first.number, "no check: write \"\" to allow everybody, \"!\" for nobody");
    }
    Ok(words.join(" "))
}

/// A quoted text at the beginning, and what follows it.
fn quoted(line: usize, text: &str) -> Result<(String, &str), DocumentError> {
    let mut out = String::new();
    let mut chars = text.char_indices().peekable();
    let Some((_, quote)) = chars.next() else { return Ok((out, text)) };
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
                out.push('\'');
            }
            _ if c == quote => return Ok((out, &text[at + c.len_utf8()..])),
            '\\' if quote == '"' => match chars.next() {
                Some((_, escaped @ ('"' | '\\' | '/' | ' '))) => out.push(escaped),
                Some((_, 'n' | 't')) => out.push(' '),
                _ => return fail(line, "only \\\" and \\\\ are escapes here"),
            },
            _ => out.push(c),
        }
    }
    fail(line, "a quote is not closed")
}

/// Lists as JSON writes them.
fn list(line: usize, text: &str) -> Result<Value, DocumentError> {
    let mut reader = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match reader.next() {
        Some(Ok(value)) => {
            only_comment(line, &text[reader.byte_offset()..])?;
            Ok(value)
        }
        _ => fail(line, "lists are read as JSON: put their texts in double quotes"),
    }
}
