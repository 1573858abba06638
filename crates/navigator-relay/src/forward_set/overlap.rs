//! Finds forwards that want the same port of the same address. Those with server names may share a
//! port, if no two want the same name.

use std::collections::HashMap;

use super::{Forward, ForwardSet, InvalidForward, ServerName, Transport};

/// What can only collide with its like: forwards are compared within one port of one namespace.
type Place<'a> = (Transport, Option<&'a str>, u16);

#[derive(Default)]
struct Ports<'a> {
    /// Those that others are compared with; of several that share a port by name, the first.
    firsts: HashMap<Place<'a>, Vec<(&'a str, &'a Forward)>>,
    names: HashMap<(Place<'a>, Option<std::net::IpAddr>, &'a ServerName), &'a str>,
}

/// One finding for each forward that collides with an earlier one.
pub(super) fn find(set: &ForwardSet) -> Vec<InvalidForward> {
    let mut ports = Ports::default();
    let mut found = Vec::new();
    for (name, forward) in set.iter() {
        let mut reason = None;
        for port in forward.listen.ports.ports() {
            let collision = ports.add(name, forward, port);
            reason = reason.or_else(|| {
                collision.map(|what| format!("listen: port {port} of {} {what}", forward.listen))
            });
        }
        found.extend(reason.map(|reason| InvalidForward { name: name.to_owned(), reason }));
    }
    found
}

impl<'a> Ports<'a> {
    fn add(&mut self, name: &'a str, forward: &'a Forward, port: u16) -> Option<String> {
        let place = (forward.transport, forward.listen.netns.as_deref(), port);
        let firsts = self.firsts.entry(place).or_default();
        let other = firsts.iter().find(|(_, other)| forward.listen.overlaps(&other.listen));
        let Some((other_name, other)) = other else {
            firsts.push((name, forward));
            return self.add_names(place, name, forward);
        };
        if forward.sni.is_empty() || other.sni.is_empty() || forward.listen != other.listen {
            return Some(format!("is forward.{other_name}'s already ({})", other.listen));
        }
        if forward.proxies != other.proxies {
            return Some(format!("has another proxy_protocol_from in forward.{other_name}"));
        }
        self.add_names(place, name, forward)
    }

    fn add_names(
        &mut self,
        place: Place<'a>,
        name: &'a str,
        forward: &'a Forward,
    ) -> Option<String> {
        let mut collision = None;
        for server_name in &forward.sni {
            let key = (place, forward.listen.address, server_name);
            if let Some(other) = self.names.insert(key, name).filter(|other| *other != name) {
                collision = Some(format!("leads '{server_name}' to forward.{other} already"));
            }
        }
        collision
    }
}
