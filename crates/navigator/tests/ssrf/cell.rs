//! One cell of the matrix: who asks, for which kind of forward, in which form, to what.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use crate::{capture::Arrival, target::Target, world::World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Gateway,
    FloatingIp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Single,
    Range,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    /// Of a forward that leads to the first own instance.
    Update,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Member,
    Reader,
    Stranger,
}

/// How a forward is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) by: By,
    pub(crate) protocol: &'static str,
    pub(crate) shape: Shape,
}

/// Ports that are the cell's alone, the first of two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) external: u16,
    pub(crate) internal: u16,
}

pub(crate) struct Cell<'t> {
    pub(crate) way: Way,
    pub(crate) verb: Verb,
    pub(crate) asker: Asker,
    pub(crate) target: &'t Target,
    pub(crate) ports: Ports,
}

impl By {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Gateway => "gateway_port_forwarding",
            Self::FloatingIp => "port_forwarding",
        }
    }
}

impl Shape {
    pub(crate) fn count(self) -> u16 {
        match self {
            Self::Single => 1,
            Self::Range => 2,
        }
    }

    /// Two forms of the same: a port, or a range that has it at one end. Neighbours of even ports
    /// are below, so that the ranges of 9696 and 9697 do not meet.
    pub(crate) fn of(self, port: i64) -> (i64, i64) {
        match self {
            Self::Single => (port, port),
            Self::Range if port % 2 == 0 && port > 0 => (port - 1, port),
            Self::Range => (port, port + 1),
        }
    }

    /// Says `side` (`external` or `internal`) in `body`, in place of what it says now.
    pub(crate) fn say(self, body: &mut Value, side: &str, (first, last): (i64, i64)) {
        match self {
            Self::Single => body[format!("{side}_port")] = first.into(),
            Self::Range => body[format!("{side}_port_range")] = format!("{first}:{last}").into(),
        }
    }
}

impl Cell<'_> {
    fn block(&self, first: u16) -> (i64, i64) {
        (first.into(), i64::from(first + self.way.shape.count() - 1))
    }

    /// A forward to the first own instance, on the cell's own ports.
    pub(crate) fn honest(&self, world: &World<'_>) -> Value {
        let web = &world.webs[0];
        let mut body = json!({"protocol": self.way.protocol, "internal_port_id": web.port,
            "internal_ip_address": web.ip});
        self.way.shape.say(&mut body, "external", self.block(self.ports.external));
        self.way.shape.say(&mut body, "internal", self.block(self.ports.internal));
        body
    }

    pub(crate) fn collection(&self, world: &World<'_>) -> String {
        collection(world, self.way.by)
    }

    pub(crate) fn outside(&self, world: &World<'_>) -> Ipv4Addr {
        match self.way.by {
            By::Gateway => world.tenant.gateway,
            By::FloatingIp => world.floating_address,
        }
    }

    /// Where outsiders knock: the ports that the cell asks for, and those that it had before.
    pub(crate) fn probes(&self, world: &World<'_>) -> Vec<(&'static str, SocketAddr)> {
        let asked = self.target.external(self.way.shape);
        let own = self.block(self.ports.external);
        let mut ports: Vec<i64> = [Some(own), asked].into_iter().flatten().flat_map(both).collect();
        ports.dedup();
        // Zero is no port that a socket could send to.
        let number = |port: i64| u16::try_from(port).ok().filter(|port| *port > 0);
        let ports = ports.into_iter().filter_map(number);
        ports.map(|port| (self.way.protocol, (self.outside(world), port).into())).collect()
    }

    /// What has to arrive at own instances.
    pub(crate) fn arrivals(&self, world: &World<'_>, granted: bool) -> Vec<Arrival> {
        let honest = (world.webs[0].ip, self.block(self.ports.internal));
        let (address, ports) = match (granted, self.verb) {
            (true, _) => {
                let asked = self.target.internal(self.way.shape);
                (self.target.address().unwrap_or(honest.0), asked.unwrap_or(honest.1))
            }
            (false, Verb::Update) => honest,
            (false, Verb::Create) => return Vec::new(),
        };
        let port = |port: i64| u16::try_from(port).unwrap();
        both(ports).map(|n| (address, self.way.protocol.to_owned(), port(n))).collect()
    }
}

fn both((first, last): (i64, i64)) -> impl Iterator<Item = i64> {
    first..=last
}

pub(crate) fn collection(world: &World<'_>, by: By) -> String {
    match by {
        By::Gateway => world.tenant.gateway_forwards(),
        By::FloatingIp => format!("floatingips/{}/port_forwardings", world.floating_ip),
    }
}

impl std::fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Way { by, protocol, shape } = self.way;
        let Ports { external, internal } = self.ports;
        write!(
            f,
            "{:?} by {:?}: {by:?} {protocol} {shape:?} to {} ({external} -> {internal})",
            self.verb, self.asker, self.target.name
        )
    }
}
