//! The userspace forwarder: what cannot be packet rewriting, because the target sits in another
//! namespace, speaks the other address family, or the packet filter is not ours. A [`ForwardSet`] goes
//! in; a [`Relay`] makes it so, changes it while connections run, and counts.
//!
//! Never: a lock or an allocation per byte on the data path, a thread or a process per connection, a
//! wake-up while nothing happens. Why it is built as it is: `docs/adr/0008-the-relays-engine.md`.

pub mod cli;
mod counters;
mod descriptors;
mod forward_set;
mod limits;
mod listener;
mod live;
mod memory;
mod namespace;
pub mod prometheus;
mod proxy_protocol;
mod relay;
mod ring;
mod route;
mod server_name;
mod slots;
mod tcp;
mod timers;
mod tls;
mod token;
mod transparent;
mod udp;
mod worker;

pub use counters::{Counters, Histogram, Refusal};
pub use descriptors::raise_descriptor_limit;
pub use forward_set::{
    CertificateFiles, ConnectTo, Forward, ForwardSet, InvalidAddress, InvalidForward,
    InvalidProtocol, InvalidTargetName, InvalidText, Limits, ListenOn, Originate, Protocol,
    Removal, TargetName, Terminate, Timeouts, Transport, Trust,
};
pub use proxy_protocol::ProxyVersion;
pub use relay::{ApplyError, Handover, HandoverListener, Options, Relay, Stop};
pub use server_name::{InvalidServerName, ServerName};
