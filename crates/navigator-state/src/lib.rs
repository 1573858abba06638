//! Kernel state as values: what a scope wants ([`Desired`]), what is there ([`Actual`]), and the
//! ordered [`Plan`] that leads from one to the other. Pure: no I/O, no clock, cannot fail.
//!
//! `navigator-render` makes `Desired`, `navigator-drivers` observes `Actual` and applies `Plan`.

pub mod desired;
pub mod link;
pub mod nft;
pub mod plan;
pub mod process;
pub mod route;
pub mod simulate;
pub mod step;
pub mod trace;

pub use desired::{Actual, Desired, DesiredNamespace, Namespace, NamespaceState, Problem};
pub use link::{FdbEntry, Link, LinkKind};
pub use plan::plan;
pub use process::{Process, ProcessState};
pub use route::Route;
pub use step::{Action, FlowMatch, Plan, Step};
