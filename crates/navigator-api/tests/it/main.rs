//! The API in process, each test with its own database in memory.

mod cloud;
mod every_resource;
mod gateway_port_forwarding;
mod hosting;
mod identity;
mod lists;
mod requests;
