//! What established connections notice when the control plane dies, restarts, or has its rules taken
//! away: nothing. Real kernel, real packets, the real binary.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod flushed;
mod killed;
mod unchanged;
mod world;
