//! A table as typed rules. Goes out as text, exactly as libnftables 1.0.6 lists it, so that what is
//! read back after loading equals what was written. Knows only the statements that Navigator uses.

use std::{fmt, net::Ipv4Addr};

/// The type of one field of a key or value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Protocol,
    Address,
    Port,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetDeclaration {
    pub name: &'static str,
    pub key: &'static [Data],
    /// Empty for a set, not empty for a map.
    pub value: &'static [Data],
    pub lookup: Lookup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    Exact,
    Interval,
}

impl SetDeclaration {
    pub const fn set(name: &'static str, key: &'static [Data]) -> Self {
        Self { name, key, value: &[], lookup: Lookup::Exact }
    }

    pub const fn map(name: &'static str, key: &'static [Data], value: &'static [Data]) -> Self {
        Self { name, key, value, lookup: Lookup::Exact }
    }

    pub const fn interval_set(name: &'static str, key: &'static [Data]) -> Self {
        Self { name, key, value: &[], lookup: Lookup::Interval }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub sets: &'static [SetDeclaration],
    pub chains: Vec<Chain>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub name: &'static str,
    pub hook: Hook,
    pub rules: Vec<Rule>,
}

/// Where in a packet's way a chain hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Before routing and before destination NAT, after connection tracking.
    FilterPrerouting,
    /// As above, for the namespace's own packets.
    FilterOutput,
    NatPrerouting,
    NatOutput,
    NatPostrouting,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub matches: Vec<Match>,
    pub statement: Statement,
}

/// A field of the packet as it is at the hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Protocol,
    Source,
    Destination,
    DestinationPort,
}

/// The key of [`FORWARDS`](super::layout::FORWARDS) and of the sets laid out like it.
pub const ENDPOINT: &[Field] = &[Field::Protocol, Field::Destination, Field::DestinationPort];

/// An endpoint and who asks.
pub const ENDPOINT_AND_SOURCE: &[Field] =
    &[Field::Protocol, Field::Destination, Field::DestinationPort, Field::Source];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    FromDevice(String),
    NotFromDevice(String),
    ToDevice(String),
    /// The flow's destination was rewritten.
    DestinationRewritten,
    /// The packet goes the way of the flow's first packet.
    OriginalDirection,
    NewFlow,
    /// The flow carries the mark's bits.
    Marked(u32),
    In(&'static [Field], &'static str),
    NotIn(&'static [Field], &'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    Drop,
    /// Adds bits to the flow's mark; the next rule follows.
    Mark(u32),
    /// Destination address and port by map. A miss lets the next rule follow.
    DestinationByMap(&'static [Field], &'static str),
    /// Destination address by map, port kept.
    DestinationAddressByMap(Field, &'static str),
    SourceAddressByMap(Field, &'static str),
    /// A random source port: two instances that pick the same one must not collide, and an inbound
    /// connection to a forward must not meet the reply tuple of an outbound one.
    SourceFullyRandom(Ipv4Addr),
    Source(Ipv4Addr),
    /// The source becomes the outgoing device's address.
    Masquerade,
}

impl Table {
    /// The chain at a hook.
    pub fn chain(&self, hook: Hook) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.hook == hook)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table ip {} {{", super::TABLE)?;
        let mut first = true;
        for set in self.sets {
            separate(f, &mut first)?;
            set.fmt(f)?;
        }
        for chain in &self.chains {
            separate(f, &mut first)?;
            chain.fmt(f)?;
        }
        writeln!(f, "}}")
    }
}

/// A blank line between objects, none before the first.
fn separate(f: &mut fmt::Formatter<'_>, first: &mut bool) -> fmt::Result {
    if std::mem::take(first) { Ok(()) } else { writeln!(f) }
}

impl fmt::Display for SetDeclaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.value.is_empty() { "set" } else { "map" };
        writeln!(f, "\t{kind} {} {{", self.name)?;
        write!(f, "\t\ttype {}", joined(self.key.iter().map(|data| data.name())))?;
        if !self.value.is_empty() {
            write!(f, " : {}", joined(self.value.iter().map(|data| data.name())))?;
        }
        writeln!(f)?;
        if self.lookup == Lookup::Interval {
            writeln!(f, "\t\tflags interval")?;
        }
        writeln!(f, "\t}}")
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\tchain {} {{", self.name)?;
        writeln!(f, "\t\ttype {}; policy accept;", self.hook)?;
        for rule in &self.rules {
            writeln!(f, "\t\t{rule}")?;
        }
        writeln!(f, "\t}}")
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FilterPrerouting => "filter hook prerouting priority mangle",
            Self::FilterOutput => "filter hook output priority mangle",
            Self::NatPrerouting => "nat hook prerouting priority dstnat",
            // The name `dstnat` is refused at this hook.
            Self::NatOutput => "nat hook output priority -100",
            Self::NatPostrouting => "nat hook postrouting priority srcnat",
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for matched in &self.matches {
            write!(f, "{matched} ")?;
        }
        self.statement.fmt(f)
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromDevice(name) => write!(f, "iifname \"{name}\""),
            Self::NotFromDevice(name) => write!(f, "iifname != \"{name}\""),
            Self::ToDevice(name) => write!(f, "oifname \"{name}\""),
            Self::DestinationRewritten => f.write_str("ct status dnat"),
            Self::OriginalDirection => f.write_str("ct direction original"),
            Self::NewFlow => f.write_str("ct state new"),
            Self::Marked(bits) => write!(f, "ct mark & {bits:#010x} == {bits:#010x}"),
            Self::In(fields, set) => write!(f, "{} @{set}", key(fields)),
            Self::NotIn(fields, set) => write!(f, "{} != @{set}", key(fields)),
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop => f.write_str("drop"),
            Self::Mark(bits) => write!(f, "ct mark set ct mark | {bits:#010x}"),
            // A map to address and port is listed with the family, one to an address without.
            Self::DestinationByMap(fields, map) => {
                write!(f, "dnat ip to {} map @{map}", key(fields))
            }
            Self::DestinationAddressByMap(field, map) => {
                write!(f, "dnat to {} map @{map}", field.text())
            }
            Self::SourceAddressByMap(field, map) => {
                write!(f, "snat to {} map @{map}", field.text())
            }
            Self::SourceFullyRandom(address) => write!(f, "snat to {address} fully-random"),
            Self::Source(address) => write!(f, "snat to {address}"),
            Self::Masquerade => f.write_str("masquerade fully-random"),
        }
    }
}

impl Data {
    fn name(self) -> &'static str {
        match self {
            Self::Protocol => "inet_proto",
            Self::Address => "ipv4_addr",
            Self::Port => "inet_service",
        }
    }
}

impl Field {
    fn text(self) -> &'static str {
        match self {
            Self::Protocol => "meta l4proto",
            Self::Source => "ip saddr",
            Self::Destination => "ip daddr",
            Self::DestinationPort => "th dport",
        }
    }
}

fn key(fields: &[Field]) -> String {
    joined(fields.iter().map(|field| field.text()))
}

fn joined(parts: impl Iterator<Item = &'static str>) -> String {
    parts.collect::<Vec<_>>().join(" . ")
}
