//! The statements of a transaction's writes. On PostgreSQL they wait, to go as one message, and along with
//! the commit where nothing has to be known before. So each says in SQL what it has to do, and fails where
//! it does not do that.
//!
//! Which of them failed, and over what, the database does not say in a way that is worth understanding: the
//! transaction begins again with statements that go alone, and finds out.

use navigator_resources::{Declaration, Refusal};

use crate::{
    backend::{Step, Tx},
    decide::Ended,
    error::{Fault, StoreError},
    sql::Sql,
};

/// How a transaction's statements are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Together,
    Alone,
}

/// What a statement has to do beyond being accepted.
pub(crate) enum Need {
    Nothing,
    /// Finds the row, as it was seen.
    Row(&'static Declaration, String),
    /// Takes a unique key, or the request is refused with this.
    Key(Option<Refusal>),
}

pub(crate) struct Statements {
    sent: Sent,
    waiting: Vec<Step<'static>>,
}

impl Statements {
    pub(crate) fn new(sent: Sent) -> Self {
        Self { sent, waiting: Vec::new() }
    }

    pub(crate) fn go_together(&self) -> bool {
        self.sent == Sent::Together
    }

    /// Executes it, or has it wait.
    pub(crate) async fn put(&mut self, tx: &mut Tx, sql: Sql, need: Need) -> Result<(), Ended> {
        if self.go_together() {
            let sql = if matches!(need, Need::Row(..)) { finding_one(sql) } else { sql };
            self.waiting.push(Step { sql, columns: &[] });
            return Ok(());
        }
        match (tx.execute(sql).await, need) {
            (Err(error), Need::Key(Some(refusal))) if error.fault() == Some(Fault::Unique) => {
                Err(Ended::Refused(refusal))
            }
            (Ok(0), Need::Row(declaration, id)) => {
                let gone =
                    format!("{} {id} changed or went away while it was written", declaration.name);
                // The next attempt sees that.
                Err(Ended::Again(StoreError::Internal(gone)))
            }
            (executed, _) => Ok(executed.map(|_| ())?),
        }
    }

    /// Sends what waits, since it is about to be looked at.
    pub(crate) async fn send(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.run(std::mem::take(&mut self.waiting)).await.map(|_| ())
    }

    /// What waits, for the message that commits.
    pub(crate) fn into_waiting(self) -> Vec<Step<'static>> {
        self.waiting
    }
}

/// A statement that changes rows, which fails if it finds none.
fn finding_one(sql: Sql) -> Sql {
    sql.within("WITH found AS (", " RETURNING 1) SELECT 1 / count(*) FROM found")
}
