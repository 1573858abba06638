//! One row of the tables: a command line, and what the client has to answer.

use std::{
    collections::HashMap,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::client::{Answer, Client};

/// How long something that an agent has to do may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// `{name}` in texts stands for what an earlier row kept under that name.
#[derive(Debug)]
pub(crate) struct Row {
    argv: &'static str,
    expect: Expect,
    keep: Vec<(&'static str, &'static str)>,
}

#[derive(Debug)]
enum Expect {
    /// Exit 0 and not a word.
    Quiet,
    /// Exit 0, whatever it says.
    Ends,
    /// Exit 0 and JSON that contains this.
    Shows(Value),
    /// The same, in the end.
    Becomes(Value),
    /// Exit 0 and rows with exactly these values in a column, in any order.
    Lists(&'static str, Value),
    /// Exit 0 and rows with these values, in this order.
    Sorted(&'static str, Value),
    /// Exit 0 and at least these values in a column.
    Has(&'static str, Value),
    /// Exit 1, and the client's own message contains this.
    Refused(&'static str),
}

fn row(argv: &'static str, expect: Expect) -> Row {
    Row { argv, expect, keep: Vec::new() }
}

pub(crate) fn quiet(argv: &'static str) -> Row {
    row(argv, Expect::Quiet)
}

pub(crate) fn ends(argv: &'static str) -> Row {
    row(argv, Expect::Ends)
}

pub(crate) fn shows(argv: &'static str, value: Value) -> Row {
    row(argv, Expect::Shows(value))
}

pub(crate) fn becomes(argv: &'static str, value: Value) -> Row {
    row(argv, Expect::Becomes(value))
}

pub(crate) fn lists(argv: &'static str, column: &'static str, values: Value) -> Row {
    row(argv, Expect::Lists(column, values))
}

pub(crate) fn sorted(argv: &'static str, column: &'static str, values: Value) -> Row {
    row(argv, Expect::Sorted(column, values))
}

pub(crate) fn has(argv: &'static str, column: &'static str, values: Value) -> Row {
    row(argv, Expect::Has(column, values))
}

pub(crate) fn refused(argv: &'static str, message: &'static str) -> Row {
    row(argv, Expect::Refused(message))
}

impl Row {
    /// Keeps what the answer says at a JSON pointer, for the rows after it.
    pub(crate) fn keep(mut self, name: &'static str, pointer: &'static str) -> Self {
        self.keep.push((name, pointer));
        self
    }
}

/// Runs all rows in order and fails with everything that was not as it should be.
pub(crate) fn run(client: &mut Client, rows: Vec<Row>) {
    let mut kept = HashMap::new();
    let count = rows.len();
    let failures: Vec<String> =
        rows.iter().filter_map(|row| row.run(client, &mut kept).err()).collect();
    assert!(failures.is_empty(), "{} of {count} rows:\n{}", failures.len(), failures.join("\n"));
}

impl Row {
    fn run(&self, client: &mut Client, kept: &mut HashMap<&str, String>) -> Result<(), String> {
        let mut argv = words(&filled(self.argv, kept));
        if !matches!(self.expect, Expect::Quiet | Expect::Ends | Expect::Refused(_)) {
            argv.extend(["-f".to_owned(), "json".to_owned()]);
        }
        let patience = match self.expect {
            Expect::Becomes(_) => LIMIT,
            _ => Duration::ZERO,
        };
        let start = Instant::now();
        loop {
            let answer = client.run(&argv);
            match self.judge(&answer, kept) {
                Ok(()) => {
                    self.remember(&answer, kept);
                    return Ok(());
                }
                Err(_) if start.elapsed() < patience => thread::sleep(Duration::from_millis(100)),
                Err(reason) => {
                    let Answer { status, stdout, stderr } = answer;
                    let argv = argv.join(" ");
                    return Err(format!(
                        "$ openstack {argv}\n{reason}\nexit {status}\n{stdout}{stderr}"
                    ));
                }
            }
        }
    }

    /// The command line, and the exit code that is expected of it.
    pub(crate) fn command(&self) -> (&'static str, i32) {
        (self.argv, i32::from(matches!(self.expect, Expect::Refused(_))))
    }

    fn judge(&self, answer: &Answer, kept: &HashMap<&str, String>) -> Result<(), String> {
        let (_, expected_status) = self.command();
        if answer.status != expected_status {
            return Err(format!("exit {expected_status} expected"));
        }
        let holds = match &self.expect {
            Expect::Quiet => answer.stdout.trim().is_empty() && answer.stderr.trim().is_empty(),
            Expect::Ends => true,
            Expect::Shows(value) | Expect::Becomes(value) => {
                contains(&json(answer)?, &filled_value(value, kept))
            }
            Expect::Lists(name, values) => {
                in_order(column(&json(answer)?, name))
                    == in_order(array(&filled_value(values, kept)))
            }
            Expect::Sorted(name, values) => {
                column(&json(answer)?, name) == array(&filled_value(values, kept))
            }
            Expect::Has(name, values) => {
                let found = column(&json(answer)?, name);
                array(values).iter().all(|value| found.contains(value))
            }
            Expect::Refused(message) => answer.stderr.contains(&filled(message, kept)),
        };
        if holds { Ok(()) } else { Err(format!("expected: {:?}", self.expect)) }
    }

    fn remember(&self, answer: &Answer, kept: &mut HashMap<&str, String>) {
        let value = json(answer).unwrap_or_default();
        for (name, pointer) in &self.keep {
            let found = value.pointer(pointer).and_then(Value::as_str);
            let found = found.unwrap_or_else(|| panic!("no {pointer} in {value}"));
            kept.insert(*name, found.to_owned());
        }
    }
}

fn json(answer: &Answer) -> Result<Value, String> {
    serde_json::from_str(&answer.stdout).map_err(|error| format!("not JSON: {error}"))
}

fn array(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn column(rows: &Value, name: &str) -> Vec<Value> {
    array(rows).iter().map(|row| row[name].clone()).collect()
}

fn in_order(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by_key(Value::to_string);
    values
}

/// Objects may have more than expected, everything else is equal.
fn contains(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected
            .iter()
            .all(|(name, value)| actual.get(name).is_some_and(|actual| contains(actual, value))),
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len()
                && actual.iter().zip(expected).all(|(actual, expected)| contains(actual, expected))
        }
        _ => actual == expected,
    }
}

fn filled(text: &str, kept: &HashMap<&str, String>) -> String {
    kept.iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn filled_value(value: &Value, kept: &HashMap<&str, String>) -> Value {
    match value {
        Value::String(text) => Value::String(filled(text, kept)),
        Value::Array(values) => values.iter().map(|value| filled_value(value, kept)).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), filled_value(value, kept))).collect()
        }
        other => other.clone(),
    }
}

/// Splits at spaces, but not inside single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}
