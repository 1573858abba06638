//! The seam between server and agents: wake-ups carry *"scope X moved to revision N"*, never state;
//! agents pull.
//!
//! A lost wake-up costs latency, not correctness: agents compare revisions on every (re)connect and
//! on a timer.

pub mod control_plane;
pub mod http_client;
pub mod hub;
pub mod wire;

pub use control_plane::{BusError, ControlPlane, Wakeup};
pub use http_client::HttpControlPlane;
pub use hub::{Hub, Lost};
