//! Who may forward to what, asked of the API and of the wire: a tenant who tries to lead the outside to
//! anything but an own instance is refused, and not one packet from outside arrives anywhere else.
//! Real kernel, real packets, the real binary, the contract fake of Keystone.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod capture;
mod cell;
mod matrix;
mod moved;
mod probe;
mod target;
mod world;
