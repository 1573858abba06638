//! Observes and changes the kernel: namespaces, devices, addresses, routes, nftables, conntrack,
//! sysctls, and beside it files and child processes.
//!
//! In: a scope and what it wants. Out: [`navigator_state::Actual`], and an outcome per step of a
//! [`navigator_state::Plan`]. Everything here blocks. Nothing here decides what is wanted, and
//! nothing remembers what was applied: only open sockets are kept.

mod announce;
pub mod conntrack;
mod error;
mod file;
#[cfg(test)]
mod fuzz;
pub mod kernel;
mod mark;
pub mod monitor;
pub mod netns;
pub mod nft;
mod pidfd;
mod process;
mod rtnl;
pub mod slice;
mod sysctl;

pub use error::DriverError;
pub use kernel::{Kernel, KernelConfig, Look, StepOutcome};
pub use netns::Namespaces;
pub use rtnl::RtnlError;
