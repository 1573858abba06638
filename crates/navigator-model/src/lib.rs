//! Values that every part of Navigator shares. Plain data: no I/O, no clock, no randomness.
//!
//! Server and agent meet here and in `navigator-bus` only: the server makes [`Snapshot`]s, the agent
//! renders them.

mod dns;
pub mod id;
pub mod kernel_name;
pub mod l4;
pub mod mac;
pub mod object;
pub mod report;
pub mod revision;
pub mod scope;
pub mod snapshot;

pub use dns::default_host_name;
pub use id::*;
pub use l4::{L4Port, L4PortRange, Protocol};
pub use mac::MacAddress;
pub use object::ObjectKey;
pub use report::{Heartbeat, Outcome, Report};
pub use revision::Revision;
pub use scope::{HostName, Scope};
pub use snapshot::{Fetched, Object, Snapshot};
