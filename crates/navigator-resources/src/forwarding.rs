//! What port forwardings of floating IPs and of routers' gateways have in common: how their ports
//! are said and kept, who may forward to what, and what goes with an address.
//!
//! Nobody forwards to an address that is not at this moment a fixed IP of a port of the same
//! project: that is the whole of a forwarding's safety, so it is decided in one place.

mod forget;
mod interfaces;

mod sockets;
mod standard;
mod target;

pub use forget::forget_fixed_ips;
pub use sockets::{PortsRequest, Sockets};
pub use standard::{ForwardingStandard, ForwardingStandardCreate, ForwardingStandardUpdate};
pub use target::{Target, address_of, target_port};

pub(crate) use interfaces::{is_attached, router_interfaces};
