//! A packet's way through a namespace's rules, pure: which rule decided, and what becomes of it.
//!
//! In: a typed table with its elements, and the namespace's addresses and routes. Out: the rules
//! that did something, in order, the end, and the connection as connection tracking would record it,
//! with which later packets of it are traced. Ports that the kernel chooses at random are shown
//! unchanged. Never looks at a real kernel.

mod evaluate;
mod routing;

use std::net::Ipv4Addr;

use navigator_model::Protocol;

use crate::{
    desired::DesiredNamespace,
    nft::rule::{Hook, Table},
};
use evaluate::{Context, Verdict};
use routing::Way;

/// What identifies a packet's connection and direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub transport: Transport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Ports {
        protocol: Protocol,
        source: u16,
        destination: u16,
    },
    /// An echo request or reply.
    Icmp,
}

/// Where a packet comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Device(String),
    /// A process in the namespace.
    Local,
}

/// A tracked connection: its first packet as it came, and what a reply to it looks like as it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    pub original: Packet,
    pub reply: Packet,
    pub mark: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Every rule that did something, as text, after the name of its chain.
    pub rules: Vec<(&'static str, String)>,
    pub end: End,
    /// The connection afterwards, also of a new one; `None` when the packet was dropped.
    pub flow: Option<Flow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Sent on, as it leaves.
    Forwarded {
        device: String,
        packet: Packet,
    },
    /// To a process in the namespace.
    Delivered(Packet),
    Dropped,
    NoRoute(Packet),
}

impl Packet {
    pub fn new(protocol: Protocol, source: (Ipv4Addr, u16), destination: (Ipv4Addr, u16)) -> Self {
        let transport = Transport::Ports { protocol, source: source.1, destination: destination.1 };
        Self { source: source.0, destination: destination.0, transport }
    }

    /// The packet of the other direction.
    pub fn reversed(self) -> Self {
        let transport = match self.transport {
            Transport::Ports { protocol, source, destination } => {
                Transport::Ports { protocol, source: destination, destination: source }
            }
            Transport::Icmp => Transport::Icmp,
        };
        Self { source: self.destination, destination: self.source, transport }
    }

    fn to(mut self, address: Ipv4Addr, port: Option<u16>) -> Self {
        self.destination = address;
        if let (Transport::Ports { destination, .. }, Some(port)) = (&mut self.transport, port) {
            *destination = port;
        }
        self
    }

    /// With the destination of another packet.
    fn to_that_of(self, other: Self) -> Self {
        match other.transport {
            Transport::Ports { destination, .. } => self.to(other.destination, Some(destination)),
            Transport::Icmp => self.to(other.destination, None),
        }
    }
}

/// One namespace's rules and routes.
pub struct Tracer<'a> {
    table: &'a Table,
    namespace: &'a DesiredNamespace,
}

impl<'a> Tracer<'a> {
    pub fn new(table: &'a Table, namespace: &'a DesiredNamespace) -> Self {
        Self { table, namespace }
    }

    /// The way of a packet. `flow` is its connection, when that is already tracked and the packet
    /// belongs to it.
    pub fn trace(&self, packet: Packet, origin: &Origin, flow: Option<&Flow>) -> Trace {
        let known = flow.filter(|flow| packet == flow.original || packet == flow.reply);
        let mut context = Context::new(packet, origin, known.copied());
        let hooks = match origin {
            Origin::Device(_) => [Hook::FilterPrerouting, Hook::NatPrerouting],
            Origin::Local => [Hook::FilterOutput, Hook::NatOutput],
        };
        let passed = self.pass(hooks[0], &mut context) == Verdict::Continue
            && self.translate_destination(hooks[1], &mut context) == Verdict::Continue;
        let end = if passed { self.send_on(&mut context) } else { End::Dropped };
        let flow = (end != End::Dropped).then(|| context.flow());
        Trace { rules: context.rules, end, flow }
    }

    fn pass(&self, hook: Hook, context: &mut Context) -> Verdict {
        match self.table.chain(hook) {
            Some(chain) => evaluate::chain(chain, self.namespace, context),
            None => Verdict::Continue,
        }
    }

    /// Rules decide for a connection's first packet, the record for all others.
    fn translate_destination(&self, hook: Hook, context: &mut Context) -> Verdict {
        match context.known {
            None => self.pass(hook, context),
            Some(flow) => {
                let replies = context.packet == flow.reply;
                let translated = if replies { flow.original } else { flow.reply }.reversed();
                context.packet = context.packet.to_that_of(translated);
                Verdict::Continue
            }
        }
    }

    fn send_on(&self, context: &mut Context) -> End {
        match routing::way(self.namespace, context.packet.destination) {
            Way::Local => End::Delivered(context.packet),
            Way::None => End::NoRoute(context.packet),
            Way::Device { device, next_hop } => {
                context.out = Some((device.clone(), next_hop));
                if self.translate_source(context) == Verdict::Drop {
                    return End::Dropped;
                }
                End::Forwarded { device, packet: context.packet }
            }
        }
    }

    fn translate_source(&self, context: &mut Context) -> Verdict {
        match context.known {
            None => self.pass(Hook::NatPostrouting, context),
            Some(flow) => {
                let replies = context.came_as == flow.reply;
                context.packet = if replies { flow.original } else { flow.reply }.reversed();
                Verdict::Continue
            }
        }
    }
}
