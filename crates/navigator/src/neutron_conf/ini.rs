//! oslo.config's dialect of INI: `[section]`, `key = value` or `key: value`, comments on lines of
//! their own, values that go on in indented lines, keys that repeat. What is none of this is an error
//! with its line.

/// A value and the line that it begins in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) line: usize,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(super) struct IniError {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

/// All entries in the order of the file.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, IniError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section: Option<String> = None;
    // Whether an indented line goes on with the last entry.
    let mut open = false;
    for (index, text) in text.lines().enumerate() {
        let line = index + 1;
        let error = |what| IniError { line, what };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            open = false;
        } else if trimmed.starts_with(['#', ';']) {
            // A comment may stand between the lines of a value.
        } else if text.starts_with([' ', '\t']) {
            let Some(last) = entries.last_mut().filter(|_| open) else {
                return Err(error("an indented line that continues nothing"));
            };
            last.value.push('\n');
            last.value.push_str(trimmed);
        } else if let Some(rest) = trimmed.strip_prefix('[') {
            let name = rest.strip_suffix(']').map(str::trim).filter(|name| !name.is_empty());
            section = Some(name.ok_or_else(|| error("not a [section]"))?.to_owned());
            open = false;
        } else {
            let (key, value) = text
                .split_once(['=', ':'])
                .ok_or_else(|| error("neither [section] nor key = value"))?;
            let key = key.trim();
            if key.is_empty() {
                return Err(error("a value without a key"));
            }
            let section =
                section.clone().ok_or_else(|| error("a key before the first [section]"))?;
            let value = unquoted(value.trim()).to_owned();
            entries.push(Entry { section, key: key.to_owned(), value, line });
            open = true;
        }
    }
    Ok(entries)
}

/// oslo takes one pair of quotes around the whole value off.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, String)> {
        let entries = parse(text).unwrap();
        entries.into_iter().map(|entry| (entry.section, entry.key, entry.value)).collect()
    }

    #[test]
    fn the_dialect_of_oslo_is_understood() {
        let text = "# a comment\n[DEFAULT]\nbind_port = 9696\ndebug: true\nempty =\n\
                    url = a=b#c;d\nlist = one,\n  two,\n# between\n\tthree\n\
                    [quoted]\nname = \"with spaces \"\n; other comment\nname = 'twice'\nlone = \"\n";
        let expected = [
            ("DEFAULT", "bind_port", "9696"),
            ("DEFAULT", "debug", "true"),
            ("DEFAULT", "empty", ""),
            ("DEFAULT", "url", "a=b#c;d"),
            ("DEFAULT", "list", "one,\ntwo,\nthree"),
            ("quoted", "name", "with spaces "),
            ("quoted", "name", "twice"),
            ("quoted", "lone", "\""),
        ];
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(read(text), expected);
    }

    #[test]
    fn whatever_else_is_an_error_with_its_line() {
        for (text, line) in [
            ("key = value\n", 1),
            ("[DEFAULT]\nnonsense\n", 2),
            ("[DEFAULT]\n\n  indented\n", 3),
            ("[DEFAULT]\n = value\n", 2),
            ("[DEFAULT\n", 1),
            ("[]\n", 1),
            ("[a]\nb = c\n\n d\n", 4),
        ] {
            assert_eq!(parse(text).map_err(|error| error.line), Err(line), "{text:?}");
        }
    }
}
