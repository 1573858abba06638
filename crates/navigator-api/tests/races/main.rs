//! Several servers of one database at once: what many requests that meet may leave behind, and what
//! they may not. On PostgreSQL each server has connections of its own through a [`relay`], which
//! decides whose statement is next and which connection breaks; nothing is mocked.
//!
//! Everything random follows from a seed that is printed. Environment:
//!
//! - `NAVIGATOR_RACES_SEED`: that seed again.
//! - `NAVIGATOR_RACES_INTERLEAVINGS`: of each pair of the delete-while-create matrix.
//! - `NAVIGATOR_RACES_PAIR`: only the pairs whose name contains this.
//! - `NAVIGATOR_RACES_OPERATIONS`: of the random history.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod audit;
#[allow(dead_code, reason = "shared with the tests of the API")]
#[path = "../it/cloud.rs"]
mod cloud;
mod matrix;
mod model;
mod ports;
mod relay;
mod seed;
mod servers;
