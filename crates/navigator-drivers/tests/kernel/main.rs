//! The drivers against the real kernel: every test is a host of its own, in a network and a mount
//! namespace that vanish with it. Needs root, and fails without.

// Helpers beside the tests panic, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod files;
mod host;
mod links;
mod namespaces;
mod pace;
mod processes;
mod routes;
mod tables;
mod whole;
