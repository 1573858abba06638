//! The check language, word by word as oslo.policy reads it: words are set apart by white space,
//! parentheses may stick to them. What cannot be read is an error, never a rule that quietly denies
//! or allows.

use regex_automata::meta::Regex;

use crate::check::{Check, Field, Literal, Part, Pattern, Template};

/// Deeper nesting is nobody's policy.
const DEEPEST: usize = 50;

/// Longest compiled regular expression, in bytes.
const REGEX_LIMIT: usize = 1 << 16;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub(crate) String);

fn error<T>(reason: impl Into<String>) -> Result<T, ParseError> {
    Err(ParseError(reason.into()))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    Leaf(&'a str),
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for word in text.split_whitespace() {
        let rest = word.trim_start_matches('(');
        tokens.extend(std::iter::repeat_n(Token::Open, word.len() - rest.len()));
        let core = rest.trim_end_matches(')');
        match core {
            "" => {}
            _ if core.eq_ignore_ascii_case("and") => tokens.push(Token::And),
            _ if core.eq_ignore_ascii_case("or") => tokens.push(Token::Or),
            _ if core.eq_ignore_ascii_case("not") => tokens.push(Token::Not),
            _ => tokens.push(Token::Leaf(core)),
        }
        tokens.extend(std::iter::repeat_n(Token::Close, rest.len() - core.len()));
    }
    tokens
}

impl std::str::FromStr for Check {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let tokens = tokens(text);
        if tokens.is_empty() {
            return Ok(Self::Always);
        }
        let mut parser = Parser { tokens: &tokens, depth: 0 };
        let check = parser.any()?;
        match parser.tokens {
            [] => Ok(check),
            [Token::Close, ..] => error("a parenthesis is closed that was not opened"),
            [token, ..] => error(format!("{} where 'and' or 'or' belongs", name(*token))),
        }
    }
}

fn name(token: Token<'_>) -> String {
    match token {
        Token::Open => "'('".to_owned(),
        Token::Close => "')'".to_owned(),
        Token::And => "'and'".to_owned(),
        Token::Or => "'or'".to_owned(),
        Token::Not => "'not'".to_owned(),
        Token::Leaf(text) => format!("'{text}'"),
    }
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    depth: usize,
}

impl<'a> Parser<'_, 'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(*first)
    }

    fn eat(&mut self, token: Token<'_>) -> bool {
        let found = self.tokens.first() == Some(&token);
        if found {
            self.next();
        }
        found
    }

    fn any(&mut self) -> Result<Check, ParseError> {
        let mut parts = vec![self.all()?];
        while self.eat(Token::Or) {
            parts.push(self.all()?);
        }
        Ok(Check::or(parts))
    }

    fn all(&mut self) -> Result<Check, ParseError> {
        let mut parts = vec![self.one()?];
        while self.eat(Token::And) {
            parts.push(self.one()?);
        }
        Ok(Check::and(parts))
    }

    /// `not` holds more tightly than `and`.
    fn one(&mut self) -> Result<Check, ParseError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return error("nested too deeply");
        }
        let check = match self.next() {
            Some(Token::Not) => Check::Not(Box::new(self.one()?)),
            Some(Token::Open) => {
                let inner = self.any()?;
                if !self.eat(Token::Close) {
                    return error("a parenthesis is not closed");
                }
                inner
            }
            Some(Token::Leaf(text)) => leaf(text)?,
            Some(token) => return error(format!("{} where a check belongs", name(token))),
            None => return error("ends where a check belongs"),
        };
        self.depth -= 1;
        Ok(check)
    }
}

/// A single check, such as `role:member`.
fn leaf(text: &str) -> Result<Check, ParseError> {
    match text {
        "@" => return Ok(Check::Always),
        "!" => return Ok(Check::Never),
        _ => {}
    }
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        return quoted(text, quote);
    }
    let Some((kind, rest)) = text.split_once(':') else {
        return error(format!("'{text}' is not a check: expected kind:value"));
    };
    match kind {
        "" => error(format!("'{text}' has nothing before the colon")),
        "http" | "https" => error(format!(
            "'{text}': checks by another server are not supported; write the rule itself"
        )),
        "rule" if rest.is_empty() => error("'rule:' without a name"),
        "rule" => Ok(Check::Rule(rest.to_owned())),
        "role" if rest.is_empty() => error("'role:' without a name"),
        "role" => Ok(Check::Role(template(rest)?)),
        "field" => field(rest).map(Check::Field),
        _ if is_bare_literal(kind) => {
            Ok(Check::Literal { literal: Literal::Bare(kind.to_owned()), value: template(rest)? })
        }
        _ if is_name(kind) => {
            Ok(Check::Credential { name: kind.to_owned(), value: template(rest)? })
        }
        _ => error(format!("'{kind}' is no kind of check")),
    }
}

fn is_bare_literal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    matches!(text, "True" | "False" | "None")
        || (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// `'admin':%(name)s`.
fn quoted(text: &str, quote: char) -> Result<Check, ParseError> {
    let wrong =
        || ParseError(format!("'{text}' is not a check: expected {quote}text{quote}:value"));
    let inner = text.strip_prefix(quote).ok_or_else(wrong)?;
    let (literal, rest) = inner.split_once(quote).ok_or_else(wrong)?;
    let value = rest.strip_prefix(':').ok_or_else(wrong)?;
    if literal.contains('\\') {
        return error(format!("'{text}': escapes are not supported"));
    }
    let literal = Literal::Quoted { quote, text: literal.to_owned() };
    Ok(Check::Literal { literal, value: template(value)? })
}

/// What follows `field:`. The attribute may have a colon itself, as `router:external`.
fn field(text: &str) -> Result<Field, ParseError> {
    let wrong = || ParseError(format!("'field:{text}': expected field:resource:attribute=value"));
    let (path, value) = text.split_once('=').ok_or_else(wrong)?;
    let (resource, attribute) = path.split_once(':').ok_or_else(wrong)?;
    if resource.is_empty() || attribute.is_empty() {
        return Err(wrong());
    }
    let pattern = match value.strip_prefix('~') {
        None => Pattern::Equals(value.to_owned()),
        Some(expression) => Pattern::Matches(regex(expression)?, expression.to_owned()),
    };
    Ok(Field { resource: resource.to_owned(), attribute: attribute.to_owned(), pattern })
}

fn regex(expression: &str) -> Result<Regex, ParseError> {
    let config = Regex::config().nfa_size_limit(Some(REGEX_LIMIT));
    Regex::builder()
        .configure(config)
        .build(expression)
        .map_err(|_| ParseError(format!("'{expression}' is not a regular expression")))
}

/// `%(name)s` is the target's attribute, `%%` a percent sign.
fn template(text: &str) -> Result<Template, ParseError> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            plain.push('%');
            rest = after;
            continue;
        }
        let attribute = after.strip_prefix('(').and_then(|after| after.split_once(")s"));
        let Some((name, after)) = attribute.filter(|(name, _)| !name.is_empty()) else {
            return error(format!("'{text}': expected %(attribute)s"));
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Attribute(name.to_owned()));
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(Template(parts))
}

/// The old form: a list of alternatives, each a check or a list of checks that all have to hold.
pub(crate) fn lists(value: &serde_json::Value) -> Result<Check, ParseError> {
    use serde_json::Value;
    let single = |value: &Value| match value {
        Value::String(text) if text.split_whitespace().count() == 1 => match *tokens(text) {
            [Token::Leaf(text)] => leaf(text),
            _ => error(format!("'{text}' in a list is not a single check")),
        },
        Value::String(text) => error(format!("'{text}' in a list is not a single check")),
        other => error(format!("{other} in a list is not a check")),
    };
    let Value::Array(alternatives) = value else {
        return error(format!("{value} is neither a text nor a list"));
    };
    let mut any = Vec::new();
    for alternative in alternatives {
        match alternative {
            // As oslo.policy does: it is no alternative at all.
            Value::Array(all) if all.is_empty() => {}
            Value::Array(all) => {
                any.push(Check::and(all.iter().map(single).collect::<Result<Vec<_>, _>>()?));
            }
            other => any.push(single(other)?),
        }
    }
    if any.is_empty() && !alternatives.is_empty() {
        return error("a list of nothing but empty lists");
    }
    Ok(Check::or(any))
}

#[cfg(test)]
mod tests;
