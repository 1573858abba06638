//! A running relay between real sockets: what happens to connections, whatever the other side does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod authority;
mod change;
mod datagrams;
mod faults;
mod greetings;
mod half_open;
mod limits;
mod namespaces;
mod network;
mod settling;
mod support;
mod tls;
mod transparent;
