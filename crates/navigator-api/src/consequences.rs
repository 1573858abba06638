//! What follows from a committed change is decided here, each decision in a transaction of its own,
//! by the server itself. Whatever becomes of them, the change stands: a refusal is only logged, and
//! the next change tries again.

use navigator_bus::Hub;
use navigator_resources::{Caller, Consequence, Settings};
use navigator_store::{DecideError, Store, StoreError};

use crate::state::now;

/// The server itself, when it places routers and networks.
fn scheduler() -> Caller {
    Caller::administrator("", "scheduler")
}

/// Decides all of them, also when the database failed one; answers with the first failure.
pub(crate) async fn follow(
    store: &Store,
    hub: &Hub,
    settings: &Settings,
    consequences: &[Consequence],
) -> Result<(), StoreError> {
    let mut first = Ok(());
    for consequence in consequences {
        let decided = store
            .decide(&scheduler(), settings, &now(), |facts, context| {
                Ok(((), consequence(facts, context)?))
            })
            .await;
        match decided {
            Ok(((), moved)) => hub.publish(moved),
            Err(DecideError::Refused(refusal)) => {
                tracing::warn!(%refusal, "scheduling was refused");
            }
            Err(DecideError::Store(error)) => first = first.and(Err(error)),
        }
    }
    first
}
