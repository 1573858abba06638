//! Writes that follow each other as one statement, on PostgreSQL: each is a part of its WITH, so that five
//! writes are one round trip. The parts see the state before the statement and none sees another's rows;
//! references are checked at its end. So only writes of different rows go together, and what takes rows
//! away goes alone.
//!
//! Which of the parts met a unique key that is taken, the database does not say in a way that is worth
//! understanding: the transaction begins again with a statement for each write, and finds out.

use std::collections::HashSet;

use navigator_resources::{Declaration, Row, SqlType, SqlValue, Write};

use super::{Effects, Raised, one, push_bump, push_claim, push_insert, push_items};
use crate::{backend::Tx, decide::Ended, error::Fault, sql::Sql, table::links};

/// More parts than this are not planned as one.
const MOST: usize = 24;

/// Names of a statement's answers; no statement has more of them than parts.
const ANSWERS: [&str; MOST] = [
    "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11", "a12", "a13", "a14",
    "a15", "a16", "a17", "a18", "a19", "a20", "a21", "a22", "a23",
];

/// How a transaction writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Statements {
    Together,
    Apart,
}

/// The writes in their order, those that go together beside each other.
pub(super) fn runs(writes: Vec<Write>, statements: Statements) -> Vec<Vec<Write>> {
    let mut runs: Vec<Vec<Write>> = Vec::new();
    // Of the last run, if another write may come to it.
    let mut rows: Option<HashSet<(&'static str, String)>> = None;
    for write in writes {
        let row = match &write {
            _ if statements == Statements::Apart => None,
            Write::Insert { declaration, row, .. } => {
                Some(Some((declaration.table, row.text("id").to_owned())))
            }
            Write::Bump { declaration, id } => Some(Some((declaration.table, id.clone()))),
            Write::ClaimPorts { .. } | Write::Touch { .. } | Write::TouchHosts => Some(None),
            _ => None,
        };
        let Some(row) = row else {
            runs.push(vec![write]);
            rows = None;
            continue;
        };
        match (&mut rows, runs.last_mut()) {
            (Some(known), Some(run))
                if run.len() < MOST && row.as_ref().is_none_or(|row| !known.contains(row)) =>
            {
                known.extend(row);
                run.push(write);
            }
            _ => {
                rows = Some(row.into_iter().collect());
                runs.push(vec![write]);
            }
        }
    }
    runs
}

/// What the statement answers.
enum Answer {
    /// How many rows a bump, which is this part, found.
    Bumped { declaration: &'static Declaration, id: String, part: String },
    /// The limit of the project that a new row belongs to.
    Limit(&'static Declaration, Row),
}

struct Statement {
    /// Its parts so far, from WITH on.
    sql: Sql,
    parts: usize,
    answers: Vec<Answer>,
    /// Whether a unique key that is taken means something to the client.
    explains: bool,
}

impl Statement {
    /// Begins the next part; its name.
    fn part(&mut self) -> String {
        let name = format!("w{}", self.parts);
        self.sql.push(if self.parts == 0 { "WITH " } else { "), " }).push(&name).push(" AS (");
        self.parts += 1;
        name
    }
}

pub(super) async fn execute(
    tx: &mut Tx,
    run: Vec<Write>,
    now: &str,
    raised: &mut Raised,
    effects: &mut Effects<'_>,
) -> Result<(), Ended> {
    let mut statement =
        Statement { sql: Sql::default(), parts: 0, answers: Vec::new(), explains: false };
    let mut inserted = Vec::new();
    for write in run {
        match write {
            Write::Insert { declaration, row, conflict } => {
                insert(&mut statement, declaration, &row, effects)?;
                statement.explains |= conflict.is_some();
                inserted.push((declaration, row));
            }
            Write::Bump { declaration, id } => {
                let row = (declaration.table, id);
                if effects.bumped.insert(row.clone()) {
                    let part = statement.part();
                    push_bump(&mut statement.sql, declaration, &row.1, now);
                    statement.sql.push(" RETURNING 1");
                    let id = row.1.clone();
                    statement.answers.push(Answer::Bumped { declaration, id, part });
                    *raised.entry(row).or_default() += 1;
                }
            }
            Write::ClaimPorts { holder, protocol, ports, owner, .. } => {
                statement.part();
                push_claim(&mut statement.sql, &holder, protocol, ports, &owner);
                statement.explains = true;
            }
            Write::Touch { scope, object } => effects.touched.object(scope, object),
            Write::TouchHosts => effects.touched.hosts(),
            // What goes alone is no part of a run.
            _ => {}
        }
    }
    send(tx, statement, effects).await?;
    for (declaration, row) in inserted {
        effects.creation.inserted(declaration, &row)?;
        effects.noted.written(declaration, None, Some(&row));
    }
    Ok(())
}

fn insert(
    statement: &mut Statement,
    declaration: &'static Declaration,
    row: &Row,
    effects: &Effects<'_>,
) -> Result<(), Ended> {
    statement.part();
    push_insert(&mut statement.sql, declaration, row)?;
    for (link, items) in links(declaration, row)? {
        if !items.is_empty() {
            statement.part();
            push_items(&mut statement.sql, link, row.text("id"), items);
        }
    }
    let asked = statement.answers.iter().any(|answer| {
        matches!(answer, Answer::Limit(other, of)
            if other.quota == declaration.quota && of.text("project_id") == row.text("project_id"))
    });
    if !asked && effects.creation.asks(declaration, row) {
        statement.answers.push(Answer::Limit(declaration, row.clone()));
    }
    Ok(())
}

/// Sends it and takes in what it answers.
async fn send(
    tx: &mut Tx,
    mut statement: Statement,
    effects: &mut Effects<'_>,
) -> Result<(), Ended> {
    if statement.parts == 0 {
        return Ok(());
    }
    statement.sql.push(") SELECT ");
    let mut columns = Vec::new();
    for (index, answer) in statement.answers.iter().enumerate() {
        statement.sql.push(if index == 0 { "" } else { ", " });
        match answer {
            Answer::Bumped { part, .. } => {
                statement.sql.push("(SELECT count(*) FROM ").push(part).push(")")
            }
            Answer::Limit(declaration, row) => {
                effects.creation.push_limit(&mut statement.sql, declaration, row)
            }
        };
        let name = ANSWERS.get(index).copied().unwrap_or_default();
        statement.sql.push(" AS ").push(name);
        columns.push((name, SqlType::Int));
    }
    if columns.is_empty() {
        statement.sql.push("1 AS done");
        columns.push(("done", SqlType::Int));
    }
    let rows = match tx.fetch(statement.sql, &columns).await {
        Err(error) if statement.explains && error.fault() == Some(Fault::Unique) => {
            return Err(Ended::Apart);
        }
        rows => rows?,
    };
    let row = rows.first().cloned().unwrap_or_default();
    for (answer, (name, _)) in statement.answers.into_iter().zip(columns) {
        let number = match row.get(name) {
            SqlValue::Int(number) => Some(*number),
            _ => None,
        };
        match answer {
            Answer::Bumped { declaration, id, .. } => {
                let found = number.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
                one(found, declaration, &id)?;
            }
            Answer::Limit(declaration, row) => effects.creation.learn(declaration, &row, number),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use navigator_model::{L4Port, L4PortRange, Protocol};
    use navigator_resources::{Network, Refusal, Resource as _, Subnet};

    use super::*;

    fn insert(declaration: &'static Declaration, id: &str) -> Write {
        let mut row = Row::with_capacity(1);
        row.push("id", id.into());
        Write::Insert { declaration, row, conflict: None }
    }

    fn bump(declaration: &'static Declaration, id: &str) -> Write {
        Write::Bump { declaration, id: id.to_owned() }
    }

    fn claim() -> Write {
        Write::ClaimPorts {
            holder: "router/1".to_owned(),
            protocol: Protocol::Tcp,
            ports: L4PortRange::single(L4Port::new(1).unwrap()),
            owner: "forward/1".to_owned(),
            conflict: Refusal::OverQuota { overs: String::new() },
        }
    }

    fn lengths(writes: Vec<Write>, statements: Statements) -> Vec<usize> {
        runs(writes, statements).iter().map(Vec::len).collect()
    }

    #[test]
    fn only_writes_of_different_rows_go_together_and_in_their_order() {
        let (network, subnet) = (Network::declaration(), Subnet::declaration());
        let delete = || Write::Delete { declaration: network, id: "1".to_owned() };
        let release = || Write::ReleasePorts { owner: "forward/1".to_owned() };
        for (writes, expected) in [
            (vec![], vec![]),
            (vec![insert(network, "1"), insert(subnet, "1"), bump(network, "2")], vec![3]),
            (vec![insert(network, "1"), claim(), claim(), Write::TouchHosts], vec![4]),
            // What the statement does not see yet.
            (vec![insert(network, "1"), bump(network, "1")], vec![1, 1]),
            (vec![bump(network, "1"), claim(), bump(network, "1"), claim()], vec![2, 2]),
            // What may be in the way until it is gone.
            (vec![claim(), release(), claim(), claim()], vec![1, 1, 2]),
            (vec![insert(subnet, "1"), delete(), insert(network, "1")], vec![1, 1, 1]),
            ((0..MOST + 1).map(|_| claim()).collect(), vec![MOST, 1]),
        ] {
            let apart = vec![1; writes.len()];
            assert_eq!(lengths(writes.clone(), Statements::Together), expected, "{writes:?}");
            assert_eq!(lengths(writes, Statements::Apart), apart);
        }
    }
}
