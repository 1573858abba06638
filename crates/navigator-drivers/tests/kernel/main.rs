//! The drivers against the real kernel: every test is a host of its own, in a network and a mount
//! namespace that vanish with it. Needs root, and fails without.

mod files;
mod host;
mod links;
mod namespaces;
mod pace;
mod processes;
mod routes;
mod whole;
