//! A running relay between real sockets: what happens to connections, whatever the other side does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod change;
mod faults;
mod limits;
mod network;
mod support;
