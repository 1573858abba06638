//! What tests need beside the code under test: hosts of namespaces, a PostgreSQL, a running
//! Navigator, traffic with a ledger.
//!
//! For tests only, so it panics with a message instead of returning errors. Nothing here passes by
//! skipping: what is missing on the machine fails the test and says which package to install.

#![allow(clippy::expect_used, reason = "a test kit fails as tests do")]

pub mod apart;
pub mod cloud;
pub mod hostile;
pub mod keystone;
pub mod navigator;
pub mod nova;
pub mod postgres;
pub mod server;
pub mod site;
pub mod stock;
pub mod tls;

pub use keystone::Keystone;
pub use navigator::Navigator;
pub use navigator_lab::{
    Api, Bridge, EchoServer, Host, Instance, Ledger, Lifetime, Namespaces, Process, Response,
    Traffic, TrafficPlan, Wire,
};
pub use nova::FakeNova;
pub use postgres::Postgres;
pub use server::Server;
pub use site::Site;
