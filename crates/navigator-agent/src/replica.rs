//! Folding the server's answers into the snapshot that the agent holds of a scope. A replica is a
//! cache of the server's truth, never of the kernel's. Pure; [`journal`] keeps it on disk.
//!
//! An answer that is not what was asked for changes nothing: an empty or partial answer must never
//! read as "there is nothing here".

use navigator_model::{Fetched, Object, ObjectKey, Revision, Scope, Snapshot};

pub(crate) mod journal;

/// What a fold changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Changed {
    Nothing,
    Objects(Vec<ObjectKey>),
    Everything,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Folded {
    Held(Changed),
    /// The server says that the scope does not exist on this host.
    Gone,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FoldError {
    #[error("the answer is about {0}")]
    OtherScope(Scope),
    #[error("the answer lacks the {0} itself")]
    NoMainObject(&'static str),
    #[error("changes came to a scope that is not held")]
    NothingHeld,
    #[error("revision went back from {held} to {answered}")]
    Backwards { held: Revision, answered: Revision },
    #[error("the server knows no duties at revision {answered}, this host held some of {held}")]
    LostDuties { held: Revision, answered: Revision },
}

/// `held` stays as it was when the answer is not usable.
pub(crate) fn fold(
    held: &mut Option<Snapshot>,
    scope: &Scope,
    fetched: Fetched,
) -> Result<Folded, FoldError> {
    let about = match &fetched {
        Fetched::Complete(snapshot) => &snapshot.scope,
        Fetched::Changes { scope, .. } | Fetched::Gone { scope, .. } => scope,
    };
    if about != scope {
        return Err(FoldError::OtherScope(about.clone()));
    }
    match fetched {
        Fetched::Gone { .. } => Ok(Folded::Gone),
        Fetched::Complete(snapshot) => {
            check_complete(&snapshot, held.as_ref())?;
            *held = Some(snapshot);
            Ok(Folded::Held(Changed::Everything))
        }
        Fetched::Changes { revision, objects, .. } => {
            let held = held.as_mut().ok_or(FoldError::NothingHeld)?;
            if revision < held.revision {
                return Err(FoldError::Backwards { held: held.revision, answered: revision });
            }
            check_changes(scope, &objects)?;
            let keys: Vec<ObjectKey> = objects.iter().map(|(key, _)| *key).collect();
            held.apply(revision, objects);
            Ok(Folded::Held(if keys.is_empty() {
                Changed::Nothing
            } else {
                Changed::Objects(keys)
            }))
        }
    }
}

fn check_complete(snapshot: &Snapshot, held: Option<&Snapshot>) -> Result<(), FoldError> {
    match &snapshot.scope {
        Scope::Router(_) if snapshot.router().is_none() => Err(FoldError::NoMainObject("router")),
        Scope::Network(_) if snapshot.network().is_none() => {
            Err(FoldError::NoMainObject("network"))
        }
        // A server whose database was lost or restored answers in good faith that this host has
        // nothing to do. Taking duties away is a change, and a change raises the revision.
        Scope::Host(_) if snapshot.duties.is_empty() => match held {
            Some(held) if !held.duties.is_empty() && snapshot.revision <= held.revision => {
                let answered = snapshot.revision;
                Err(FoldError::LostDuties { held: held.revision, answered })
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn check_changes(scope: &Scope, objects: &[(ObjectKey, Option<Object>)]) -> Result<(), FoldError> {
    let gone = |main: ObjectKey| objects.iter().any(|(key, o)| *key == main && o.is_none());
    match scope {
        Scope::Router(id) if gone(ObjectKey::Router(*id)) => Err(FoldError::NoMainObject("router")),
        Scope::Network(id) if gone(ObjectKey::Network(*id)) => {
            Err(FoldError::NoMainObject("network"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
