//! What an agent may ask of the server, however the two are connected.

use futures::{future::BoxFuture, stream::BoxStream};
use navigator_model::{Fetched, Heartbeat, HostName, Report, Revision, Scope};
use serde::{Deserialize, Serialize};

/// A scope has reached a revision. Carries no state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wakeup {
    pub scope: Scope,
    pub revision: Revision,
}

/// As a commit answers with.
impl From<(Scope, Revision)> for Wakeup {
    fn from((scope, revision): (Scope, Revision)) -> Self {
        Self { scope, revision }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// No server answered; try again later.
    #[error("server unreachable: {0}")]
    Unreachable(String),
    /// The server answered that it will not do this.
    #[error("server refused: {0}")]
    Refused(String),
    /// The answer was not understood.
    #[error("bad answer: {0}")]
    Malformed(String),
}

/// Implemented in process by the all-in-one binary and over HTTP by the agent's client.
pub trait ControlPlane: Send + Sync + 'static {
    /// The scope as of now: complete, or what changed since `since`.
    fn fetch<'a>(
        &'a self,
        host: &'a HostName,
        scope: &'a Scope,
        since: Option<Revision>,
    ) -> BoxFuture<'a, Result<Fetched, BusError>>;

    /// The current revision of every scope that this host serves, its own host scope included:
    /// what a reconnected agent compares its replica with.
    fn revisions<'a>(
        &'a self,
        host: &'a HostName,
    ) -> BoxFuture<'a, Result<Vec<(Scope, Revision)>, BusError>>;

    /// Wake-ups from now on. The stream ends when the connection is lost.
    fn wakeups<'a>(
        &'a self,
        host: &'a HostName,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Wakeup>, BusError>>;

    /// Registers the host's roles and says that they are alive.
    fn heartbeat(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BusError>>;

    /// Tells what became of a scope's objects.
    fn report<'a>(
        &'a self,
        host: &'a HostName,
        report: Report,
    ) -> BoxFuture<'a, Result<(), BusError>>;
}
