//! Hosts that exist only as namespaces, the wires between them, instances and traffic; and on top of
//! these the `navigator lab`: a small cloud on one machine that changes nothing in the machine's own
//! network.
//!
//! Everything here is blocking and for people and tests; no part of the server or agent uses it.

pub mod cli;
pub mod demo;
pub mod error;
pub mod host;
pub mod http;
pub mod instance;
pub mod lab;
pub mod namespaces;
pub mod traffic;
pub mod wire;

pub use error::LabError;
pub use host::{Host, Lifetime, Process};
pub use http::{Api, Response};
pub use instance::Instance;
pub use lab::Lab;
pub use namespaces::Namespaces;
pub use traffic::{EchoServer, Ledger, Traffic, TrafficPlan};
pub use wire::{Bridge, Wire};
