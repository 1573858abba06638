//! What packets see of a forward's life: it works as soon as it is reported, leads to one target at a
//! time, and is over when its end is reported. Real kernel, real packets, the real binary.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod awaited;
mod deleted;
mod exhausted;
mod place;
mod retargeted;
mod stamped;
