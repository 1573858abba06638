//! What the loop needs of the machine it runs on, and no more, so that tests can run the very same
//! loop against a simulated kernel that refuses at will. Blocking calls; the loop makes them on
//! threads meant for that.

use std::{collections::BTreeSet, sync::Arc};

use navigator_model::{ObjectKey, Scope};
use navigator_state::{Actual, Desired, Namespace, Plan};

pub use kernel::KernelHost;

mod kernel;

/// Why the machine could not, in its own words.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub String);

impl HostError {
    /// Keeps the chain of causes, which is where the kernel's own reason stands.
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut text = error.to_string();
        let causes = std::iter::successors(error.source(), |error| error.source());
        for cause in causes.map(ToString::to_string) {
            // Some layers repeat their source in their own text.
            if !text.ends_with(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        Self(text)
    }
}

/// What became of one step, or of one element of a step with several.
#[derive(Clone, Debug)]
pub struct Applied {
    pub object: Option<ObjectKey>,
    pub result: Result<(), HostError>,
}

/// Something that was changed, perhaps by ourselves a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// A device in a namespace appeared, vanished or changed.
    Link { namespace: Namespace, name: String },
    /// Something in a namespace, or the namespace itself.
    Namespace(Namespace),
    /// A file of a scope, or one of its children.
    Scope(Scope),
}

pub type Notify = Arc<dyn Fn(Noticed) + Send + Sync>;

pub trait Host: Send + Sync + 'static {
    /// Everything that carries the scope's mark.
    fn observe(&self, scope: &Scope, desired: &Desired) -> Result<Actual, HostError>;

    /// The generation of the nftables ruleset in the scope's namespace; `None` without one.
    fn generation(&self, scope: &Scope) -> Result<Option<u32>, HostError>;

    /// Tries every step; at least one outcome for each.
    fn apply(&self, plan: &Plan) -> Vec<Applied>;

    /// Scopes that have anything here.
    fn scopes_present(&self) -> Result<BTreeSet<Scope>, HostError>;

    /// Writes to kernel and files since the start.
    fn writes(&self) -> u64;

    /// Begins to tell of changes, in the host's namespace and in those of [`Host::watch`]. Changes
    /// of the rules that we made ourselves are not told.
    fn start_watching(&self, notify: Notify) -> Result<(), HostError>;

    /// Watches exactly the namespaces, files and children that a scope wants, as far as they exist.
    /// Called around every reconcile, so it is cheap when nothing changed.
    fn watch(&self, desired: &Desired);
}
