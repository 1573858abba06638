//! What can go wrong between a decision and the database, and which of it is worth another try.

use navigator_resources::{DecodeError, Refusal};
use sqlx::error::ErrorKind;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, restarting, full, or too contended: the same request may succeed later.
    #[error("database unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A row that its own resource does not accept.
    #[error(transparent)]
    Corrupt(#[from] DecodeError),
    /// The page's marker names no object that the caller may see.
    #[error("marker {0} could not be found")]
    UnknownMarker(String),
    /// What a row refers to keeps going away, or what is to be deleted keeps being referred to.
    #[error("a row that is referred to is missing: {0}")]
    MissingParent(#[source] sqlx::Error),
    /// A database that this binary cannot work with.
    #[error("database setup: {0}")]
    Setup(String),
    /// A statement that the database does not take: a defect.
    #[error("{statement}: {source}")]
    Statement {
        statement: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("{0}")]
    Internal(String),
}

#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error(transparent)]
    Refused(Refusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Kinds of database errors that the engine treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Unique,
    Reference,
    /// Deadlock, serialization failure, busy.
    Contention,
    Unavailable,
    /// A statement did not do what it had to do: see `write/statements.rs`.
    Unmet,
    Defect,
}

pub(crate) fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        // An answer that was cut off in the middle by the server's end.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::BeginFailed
        | sqlx::Error::WorkerCrashed => Fault::Unavailable,
        sqlx::Error::Database(database) => match database.kind() {
            ErrorKind::UniqueViolation => Fault::Unique,
            ErrorKind::ForeignKeyViolation => Fault::Reference,
            _ => by_code(database.code().as_deref().unwrap_or_default()),
        },
        _ => Fault::Defect,
    }
}

/// SQLSTATE has five characters; SQLite's extended result codes are numbers whose lowest byte is
/// the primary code.
fn by_code(code: &str) -> Fault {
    if code.len() == 5 {
        return match code {
            "40001" | "40P01" | "55P03" => Fault::Contention,
            // Division by zero.
            "22012" => Fault::Unmet,
            // Read-only: a standby that has not been promoted.
            "25006" => Fault::Unavailable,
            // Connection, resources, operator, system: nothing that the statement could help.
            _ if ["08", "53", "57", "58"].contains(&&code[..2]) => Fault::Unavailable,
            _ => Fault::Defect,
        };
    }
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const READONLY: u32 = 8;
    const IO_ERROR: u32 = 10;
    const FULL: u32 = 13;
    const CANNOT_OPEN: u32 = 14;
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(BUSY | LOCKED) => Fault::Contention,
        Ok(READONLY | IO_ERROR | FULL | CANNOT_OPEN) => Fault::Unavailable,
        _ => Fault::Defect,
    }
}

impl StoreError {
    pub(crate) fn of(statement: &str, source: sqlx::Error) -> Self {
        match fault(&source) {
            Fault::Unavailable | Fault::Contention => Self::Unavailable(source),
            Fault::Reference => Self::MissingParent(source),
            Fault::Unique | Fault::Unmet | Fault::Defect => {
                Self::Statement { statement: statement.to_owned(), source }
            }
        }
    }

    /// Whether it says too little of which statement of several did not do what it had to do.
    pub(crate) fn is_unexplained(&self) -> bool {
        matches!(self.fault(), Some(Fault::Unique | Fault::Unmet))
    }

    /// The kind of database error behind it, if one is.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Unavailable(source)
            | Self::MissingParent(source)
            | Self::Statement { source, .. } => Some(fault(source)),
            _ => None,
        }
    }
}
