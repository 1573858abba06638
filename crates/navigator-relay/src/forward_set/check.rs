//! What an entry can have wrong by itself, whatever else is in the set.

use std::{net::IpAddr, time::Duration};

use super::{Forward, Transport};

/// The first thing that is wrong.
pub(super) fn entry_is_wrong(name: &str, forward: &Forward) -> Option<String> {
    name_is_wrong(name).or_else(|| forward_is_wrong(forward))
}

/// Names stand in metrics and messages.
fn name_is_wrong(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let good = (1..=128).contains(&name.len()) && name.chars().all(plain);
    (!good).then(|| "a name is 1 to 128 letters, digits, '-', '_' and '.'".to_owned())
}

fn forward_is_wrong(forward: &Forward) -> Option<String> {
    let timeouts = &forward.timeouts;
    let last = u32::from(forward.connect.port.get()) + forward.listen.ports.count() - 1;
    if last > u32::from(u16::MAX) {
        return Some(format!("connect: the range would end at port {last}"));
    }
    if [timeouts.connect, timeouts.idle, timeouts.half_closed].contains(&Duration::ZERO) {
        return Some("a timeout of 0 would end every connection".to_owned());
    }
    if forward.keepalive.is_some_and(|time| time < Duration::from_secs(1)) {
        return Some("keepalive_s: at least 1".to_owned());
    }
    let tls = forward.tls.is_some() || forward.connect_tls.is_some() || !forward.sni.is_empty();
    let tcp_only = tls || forward.proxy_protocol.is_some() || !forward.proxies.is_empty();
    if forward.transport == Transport::Udp && tcp_only {
        return Some("sni, tls and the PROXY protocol are for TCP".to_owned());
    }
    let families = |address: IpAddr| address.is_ipv4() == forward.connect.address.is_ipv4();
    if forward.transparent && !forward.listen.address.is_none_or(families) {
        return Some(
            "transparent: listen and connect are of different address families".to_owned(),
        );
    }
    let limits = &forward.limits;
    let zero = limits.connections == Some(0)
        || limits.new_per_second == Some(0)
        || limits.bytes_per_second == Some(0);
    zero.then(|| "a limit of 0 lets nothing through; remove the forward instead".to_owned())
}
