//! Routers: what their packets meet, as text for nft, and one change at a time.
#![allow(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod change;
mod device;
mod increment;
mod sample;
mod table;
mod trace;
