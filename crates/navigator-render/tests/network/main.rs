//! Networks: bridges, tunnels, ports, DHCP files and the dnsmasq that reads them.
#![allow(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod bridge;
mod dhcp;
mod dnsmasq;
mod line;
mod sample;
