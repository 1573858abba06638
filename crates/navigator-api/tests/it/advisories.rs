//! Attacks that advisories for Neutron and its neighbours describe. Each test has its advisory's name;
//! those about tokens are in `keystone/token.rs`, about memory in `tests/memory.rs`.

mod children;
mod policy;
mod ports;
