//! Transactions by their statements, since a connection that comes from `pool.rs` is not one of sqlx' pool:
//! statements in, what they answer out.
//!
//! Never begins before there is something to ask: that goes along.

use navigator_resources::Row;
use sqlx::{Error, Executor as _};

use super::{
    decoded, fetch_rows, is_hopeless,
    latch::Latch,
    message::{Answer, Message},
    pool::{Pool, Taken, Wanted, is_broken},
    query,
};
use crate::{backend::Step, pool::Connections, sql::Sql};

/// A transaction, which begins with its first statement. Dropped before its end, it ends with its
/// connection.
pub(crate) struct Transaction {
    connections: Connections<Pool>,
    /// `None`: somebody did not answer on it.
    taken: Option<Taken>,
    /// The statement that begins it, until it has begun.
    begin: Option<&'static str>,
    /// Of the row that it locks first, until it has ended.
    latch: Option<Latch>,
}

/// What a statement of a transaction answered, decoded.
#[derive(Default)]
pub(crate) struct Answered {
    pub(crate) rows: Vec<Row>,
    pub(crate) affected: u64,
}

impl Transaction {
    pub(crate) async fn begin(
        connections: &Connections<Pool>,
        begin: &'static str,
    ) -> Result<Self, Error> {
        let taken = connections.waited(connections.pool.take(Wanted::Any)).await?;
        Ok(Self {
            connections: connections.clone(),
            taken: Some(taken),
            begin: Some(begin),
            latch: None,
        })
    }

    /// Before a row is locked: if it is the first one, waits for whoever of this server has it.
    pub(crate) async fn latch(&mut self, table: &'static str, id: &str) {
        if self.begin.is_some() && self.latch.is_none() {
            self.latch = Some(self.connections.pool.latch(table, id).await);
            if let Some(taken) = &mut self.taken {
                taken.become_last_used();
            }
        }
    }

    pub(crate) async fn run(&mut self, step: &Step<'_>) -> Result<Answered, Error> {
        // What begins the transaction is a message anyway.
        if self.begin.is_some()
            && let Some(mut answered) = self.run_together(std::slice::from_ref(step)).await?
        {
            return Ok(answered.pop().unwrap_or_default());
        }
        self.begun().await?;
        let connection = self.taken()?.connection();
        match step.columns.is_empty() {
            true => {
                let affected = query(&step.sql).execute(connection).await?.rows_affected();
                Ok(Answered { rows: Vec::new(), affected })
            }
            false => {
                let rows = fetch_rows(connection, &step.sql, step.columns).await?;
                Ok(Answered { rows, affected: 0 })
            }
        }
    }

    /// As one message where that can be.
    pub(crate) async fn run_all(&mut self, steps: &[Step<'_>]) -> Result<Vec<Answered>, Error> {
        if let [] | [_] = steps {
            return self.run_apart(steps).await;
        }
        match self.run_together(steps).await? {
            Some(answered) => Ok(answered),
            None => self.run_apart(steps).await,
        }
    }

    async fn run_apart(&mut self, steps: &[Step<'_>]) -> Result<Vec<Answered>, Error> {
        let mut answered = Vec::with_capacity(steps.len());
        for step in steps {
            answered.push(self.run(step).await?);
        }
        Ok(answered)
    }

    async fn run_together(&mut self, steps: &[Step<'_>]) -> Result<Option<Vec<Answered>>, Error> {
        let statements: Vec<&Sql> = steps.iter().map(|step| &step.sql).collect();
        let Some(answers) = self.send(&statements).await? else { return Ok(None) };
        let mut answered = Vec::with_capacity(steps.len());
        for (answer, step) in answers.into_iter().zip(steps) {
            let rows = match step.columns.is_empty() {
                true => Vec::new(),
                false => decoded(&answer.rows, step.columns).await?,
            };
            answered.push(Answered { rows, affected: answer.affected });
        }
        Ok(Some(answered))
    }

    async fn begun(&mut self) -> Result<(), Error> {
        match self.begin {
            Some(_) => self.send(&[]).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// `None`: they cannot be one message. The first message begins the transaction, so nothing of it
    /// lasts if its connection turns out to be broken: it is sent again on a new one.
    async fn send(&mut self, statements: &[&Sql]) -> Result<Option<Vec<Answer>>, Error> {
        if self.begin.is_none() {
            return self.send_once(statements).await;
        }
        let sent = match self.send_first(statements).await {
            Err(error) if is_broken(&error) && !is_hopeless(&error) => {
                self.renew().await?;
                self.send_first(statements).await
            }
            sent => sent,
        };
        if !matches!(sent, Ok(None)) {
            self.begin = None;
        }
        sent
    }

    /// Looked after, since a server that has stopped is found out here.
    async fn send_first(&mut self, statements: &[&Sql]) -> Result<Option<Vec<Answer>>, Error> {
        let connections = self.connections.clone();
        let sent = tokio::select! {
            biased;
            sent = self.send_once(statements) => Some(sent),
            () = connections.pool.gone(connections.patience) => None,
        };
        sent.unwrap_or_else(|| {
            self.taken = None;
            Err(Error::PoolTimedOut)
        })
    }

    async fn send_once(&mut self, statements: &[&Sql]) -> Result<Option<Vec<Answer>>, Error> {
        let message = Message { begin: self.begin, statements, end: None };
        let (connection, prepared) = self.taken()?.parts();
        message.send(connection, prepared).await.transpose()
    }

    /// Another connection in place of a broken one.
    async fn renew(&mut self) -> Result<(), Error> {
        // First the place of the old one becomes free.
        self.taken = None;
        let taken = self.connections.pool.take(Wanted::New);
        self.taken = Some(self.connections.waited(taken).await?);
        Ok(())
    }

    fn taken(&mut self) -> Result<&mut Taken, Error> {
        self.taken.as_mut().ok_or(Error::PoolTimedOut)
    }

    /// The statements and COMMIT in one message where that can be. The rows of each.
    pub(crate) async fn commit_after(mut self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Error> {
        self.begun().await?;
        let (connection, prepared) = self.taken()?.parts();
        let statements: Vec<&Sql> = steps.iter().map(|step| &step.sql).collect();
        let message = Message { begin: None, statements: &statements, end: Some("COMMIT") };
        let answers = match message.send(connection, prepared).await {
            None => {
                let answered = self.run_apart(steps).await;
                let end = if answered.is_ok() { "COMMIT" } else { "ROLLBACK" };
                let ended = self.end(end).await;
                let rows = |answered: Vec<Answered>| answered.into_iter().map(|a| a.rows).collect();
                return answered.and_then(|answered| ended.map(|()| rows(answered)));
            }
            Some(Ok(answers)) => answers,
            Some(Err(error)) => {
                // Nothing is known of a broken connection; of another, nothing was committed.
                let _ = self.end("ROLLBACK").await;
                return Err(error);
            }
        };
        if let Some(taken) = self.taken {
            taken.give_back();
        }
        let mut rows = Vec::with_capacity(steps.len());
        for (answer, step) in answers.iter().zip(steps) {
            rows.push(decoded(&answer.rows, step.columns).await?);
        }
        Ok(rows)
    }

    /// By COMMIT or ROLLBACK, which end it also where they fail.
    pub(crate) async fn end(self, statement: &'static str) -> Result<(), Error> {
        let Self { taken, begin, latch: _latch, .. } = self;
        let Some(mut taken) = taken else { return Err(Error::PoolTimedOut) };
        let ended = match begin {
            // Nothing was asked.
            Some(_) => Ok(()),
            None => taken.connection().execute(statement).await.map(|_| ()),
        };
        taken.give_back_after(&ended);
        ended
    }
}
