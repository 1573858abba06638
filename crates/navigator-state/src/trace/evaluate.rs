//! One chain against one packet.

use std::net::Ipv4Addr;

use crate::{
    desired::DesiredNamespace,
    nft::{
        Element, Tuple,
        rule::{Chain, Field, Match, Statement},
    },
};

use super::{Flow, Origin, Packet, Transport, routing};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Continue,
    Drop,
}

/// The packet on its way, with what connection tracking knows.
pub(super) struct Context<'a> {
    pub(super) came_as: Packet,
    pub(super) packet: Packet,
    pub(super) known: Option<Flow>,
    /// The device that it leaves by and the next hop, once routed.
    pub(super) out: Option<(String, Ipv4Addr)>,
    pub(super) rules: Vec<(&'static str, String)>,
    origin: &'a Origin,
    mark: u32,
    destination_rewritten: bool,
}

impl<'a> Context<'a> {
    pub(super) fn new(packet: Packet, origin: &'a Origin, known: Option<Flow>) -> Self {
        let rewritten = |flow: Flow| flow.original.destination != flow.reply.source;
        Self {
            came_as: packet,
            packet,
            known,
            out: None,
            rules: Vec::new(),
            origin,
            mark: known.map_or(0, |flow| flow.mark),
            destination_rewritten: known.is_some_and(rewritten),
        }
    }

    pub(super) fn flow(&self) -> Flow {
        let new = Flow { original: self.came_as, reply: self.packet.reversed(), mark: self.mark };
        self.known.unwrap_or(new)
    }

    fn original_direction(&self) -> bool {
        self.known.is_none_or(|flow| self.came_as == flow.original)
    }
}

/// Translation ends a chain, as an accepted packet does.
pub(super) fn chain(
    chain: &Chain,
    namespace: &DesiredNamespace,
    context: &mut Context<'_>,
) -> Verdict {
    for rule in &chain.rules {
        if !rule.matches.iter().all(|wanted| matches(wanted, namespace, context)) {
            continue;
        }
        let Some(effect) = effect(&rule.statement, namespace, context) else { continue };
        context.rules.push((chain.name, rule.to_string()));
        match effect {
            Effect::Mark(bits) => context.mark |= bits,
            Effect::Drop => return Verdict::Drop,
            Effect::Become(packet) => {
                context.destination_rewritten |= packet.destination != context.packet.destination;
                context.packet = packet;
                return Verdict::Continue;
            }
        }
    }
    Verdict::Continue
}

enum Effect {
    Mark(u32),
    Drop,
    Become(Packet),
}

fn matches(wanted: &Match, namespace: &DesiredNamespace, context: &Context<'_>) -> bool {
    let from = |name: &str| matches!(context.origin, Origin::Device(device) if device == name);
    match wanted {
        Match::FromDevice(name) => from(name),
        Match::NotFromDevice(name) => !from(name),
        Match::ToDevice(name) => context.out.as_ref().is_some_and(|(device, _)| device == name),
        Match::DestinationRewritten => context.destination_rewritten,
        Match::OriginalDirection => context.original_direction(),
        Match::NewFlow => context.known.is_none(),
        Match::Marked(bits) => context.mark & bits == *bits,
        Match::In(fields, set) => look_up(namespace, set, context.packet, fields).is_some(),
        Match::NotIn(fields, set) => {
            key(context.packet, fields).is_some()
                && look_up(namespace, set, context.packet, fields).is_none()
        }
    }
}

/// `None` when a map has no answer: the next rule follows.
fn effect(
    statement: &Statement,
    namespace: &DesiredNamespace,
    context: &Context<'_>,
) -> Option<Effect> {
    let packet = context.packet;
    let from = |source| Some(Effect::Become(Packet { source, ..packet }));
    match statement {
        Statement::Drop => Some(Effect::Drop),
        Statement::Mark(bits) => Some(Effect::Mark(*bits)),
        Statement::DestinationByMap(fields, map) => {
            let data = look_up(namespace, map, packet, fields)?.data?;
            Some(Effect::Become(packet.to(data.address_at(0), Some(data.port_at(1)))))
        }
        Statement::DestinationAddressByMap(field, map) => {
            let data = look_up(namespace, map, packet, &[*field])?.data?;
            Some(Effect::Become(packet.to(data.address_at(0), None)))
        }
        Statement::SourceAddressByMap(field, map) => {
            from(look_up(namespace, map, packet, &[*field])?.data?.address_at(0))
        }
        Statement::SourceFullyRandom(address) | Statement::Source(address) => from(*address),
        Statement::Masquerade => {
            let (device, next_hop) = context.out.as_ref()?;
            from(routing::own_address(namespace, device, *next_hop)?)
        }
    }
}

fn look_up(
    namespace: &DesiredNamespace,
    set: &str,
    packet: Packet,
    fields: &[Field],
) -> Option<Element> {
    let key = key(packet, fields)?;
    let elements = namespace.nft.as_ref()?.sets.get(set)?;
    let exact = elements.get(&key).map(|(element, _)| *element);
    exact.or_else(|| {
        let mut intervals =
            elements.iter().filter_map(|(start, (e, _))| Some((start, e.key_end?, e)));
        intervals.find(|(start, end, _)| within(&key, start, end)).map(|(_, _, element)| *element)
    })
}

/// Each field on its own.
fn within(key: &Tuple, start: &Tuple, end: &Tuple) -> bool {
    let fields = key.as_bytes().len() / 4;
    (0..fields).all(|n| start.word(n) <= key.word(n) && key.word(n) <= end.word(n))
}

/// `None` for a packet without ports: whatever is at the ports' place, its protocol is in no set.
fn key(packet: Packet, fields: &[Field]) -> Option<Tuple> {
    let ports = match packet.transport {
        Transport::Ports { protocol, destination, .. } => Some((protocol, destination)),
        Transport::Icmp => None,
    };
    fields.iter().try_fold(Tuple::new(), |tuple, field| {
        Some(match field {
            Field::Protocol => tuple.protocol(ports?.0),
            Field::Source => tuple.ipv4(packet.source),
            Field::Destination => tuple.ipv4(packet.destination),
            Field::DestinationPort => tuple.port(ports?.1),
        })
    })
}
