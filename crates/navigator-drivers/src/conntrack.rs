//! Connection tracking of one network namespace: deletes the flows of exactly the given forwards
//! and addresses.
//!
//! In go [`FlowMatch`]es, out comes how many entries were deleted. Flows are only ever deleted by
//! their whole tuple and id. Call it after the rule has changed: before, the next packet of a flow
//! makes the old entry anew.
//!
//! Where a flow was found, more may be in the making: a first packet that met the old rule and has
//! not entered the table yet. Once every packet that is under way has been handled, the table is
//! looked through again. Idle forwards do not pay for that (8 ms).
//!
//! The kernel keeps one table for all namespaces and walks it whole for each dump, so any number of
//! matches costs one dump. Where they have their address in common, the kernel itself filters
//! (since 5.8; older kernels ignore the filter and every flow is checked here anyway).

#[cfg(test)]
mod fuzz;
mod grace;
mod index;

use std::net::Ipv4Addr;

use navigator_state::FlowMatch;

use self::index::{Filter, Flow, FlowIndex};
use crate::nft::{Channel, ChannelError, Dump, Head, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, Writer};

const SUBSYSTEM: u16 = 1 << 8;
const GET: u16 = SUBSYSTEM | 1;
const DELETE: u16 = SUBSYSTEM | 2;
const GET_STATISTICS: u16 = SUBSYSTEM | 5;
const FAMILY_IPV4: u8 = 2;

const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
const FILTER_ORIGINAL: u16 = 1;
const FILTER_REPLY: u16 = 2;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const IP_SOURCE: u16 = 1;
const IP_DESTINATION: u16 = 2;
const PROTOCOL_NUMBER: u16 = 1;
const PROTOCOL_SOURCE: u16 = 2;
const PROTOCOL_DESTINATION: u16 = 3;
const STATISTICS_ENTRIES: u16 = 1;

/// Filter flags, from the kernel's `nf_internals.h`.
const FILTER_IP_DESTINATION: u32 = 1 << 1;
const FILTER_PROTOCOL_NUMBER: u32 = 1 << 3;

/// Deletions per datagram: their answers must fit into the socket's buffer.
const DELETIONS_AT_ONCE: usize = 1_000;
/// Flows made or gone while the table is walked may hide others: look again, but not for ever.
const DUMP_ATTEMPTS: usize = 3;

#[derive(Debug, thiserror::Error)]
pub enum ConntrackError {
    #[error("cannot read the connection tracking table")]
    Dump(#[source] ChannelError),
    #[error("cannot delete flows")]
    Delete(#[source] ChannelError),
    #[error("cannot open connection tracking")]
    Open(#[source] ChannelError),
    #[error("cannot delete a flow")]
    Refused(#[source] std::io::Error),
}

/// The flows of one network namespace. Works from any thread once open. It keeps the namespace
/// alive: drop it when the namespace's name is gone.
pub struct Conntrack {
    channel: Channel,
}

/// What it takes to delete one flow: the attributes as the kernel gave them.
struct Doomed {
    original: Vec<u8>,
    id: Vec<u8>,
    zone: Option<Vec<u8>>,
}

impl Conntrack {
    /// In the calling thread's network namespace.
    pub fn open() -> Result<Self, ConntrackError> {
        Ok(Self { channel: Channel::open().map_err(ConntrackError::Open)? })
    }

    /// How many flows the namespace has.
    pub fn count(&mut self) -> Result<u32, ConntrackError> {
        let mut request = Writer::new();
        request.begin(self.head(GET_STATISTICS, NLM_F_REQUEST | NLM_F_ACK));
        request.end();
        let mut count = 0;
        let answer = self.channel.request(&request, |message| {
            count = message.attributes().number(STATISTICS_ENTRIES).unwrap_or(0);
        });
        let _ = answer.map_err(ConntrackError::Dump)?;
        Ok(count)
    }

    /// Deletes every flow that one of `flows` matches and does not spare; how many there were.
    pub fn flush(&mut self, flows: &[FlowMatch]) -> Result<usize, ConntrackError> {
        if flows.is_empty() {
            return Ok(0);
        }
        let index = FlowIndex::new(flows);
        let mut deleted = self.delete_matching(&index)?;
        if deleted > 0 {
            grace::wait_for_packets_under_way();
            deleted += self.delete_matching(&index)?;
        }
        Ok(deleted)
    }

    fn delete_matching(&mut self, index: &FlowIndex) -> Result<usize, ConntrackError> {
        let mut deleted = 0;
        for _ in 0..DUMP_ATTEMPTS {
            let (doomed, dump) = self.find(index)?;
            for some in doomed.chunks(DELETIONS_AT_ONCE) {
                deleted += self.delete(some)?;
            }
            if dump == Dump::Consistent {
                break;
            }
        }
        Ok(deleted)
    }

    fn find(&mut self, index: &FlowIndex) -> Result<(Vec<Doomed>, Dump), ConntrackError> {
        let mut request = Writer::new();
        request.begin(self.head(GET, NLM_F_REQUEST | NLM_F_DUMP));
        if let Some(filter) = index.filter() {
            push_filter(&mut request, filter);
        }
        request.end();
        let mut doomed = Vec::new();
        let dump = self.channel.request(&request, |message| {
            let attributes = message.attributes();
            if let (Some(original), Some(reply), Some(id)) =
                (attributes.find(TUPLE_ORIGINAL), attributes.find(TUPLE_REPLY), attributes.find(ID))
                && Flow::parse(original, reply).is_some_and(|flow| index.matches(&flow))
            {
                doomed.push(Doomed {
                    original: original.to_vec(),
                    id: id.to_vec(),
                    zone: attributes.find(ZONE).map(<[u8]>::to_vec),
                });
            }
        });
        Ok((doomed, dump.map_err(ConntrackError::Dump)?))
    }

    fn delete(&mut self, doomed: &[Doomed]) -> Result<usize, ConntrackError> {
        let mut messages = Writer::new();
        for flow in doomed {
            messages.begin(self.head(DELETE, NLM_F_REQUEST | NLM_F_ACK));
            // Without a tuple this very message would delete every flow of the namespace.
            messages.attribute(TUPLE_ORIGINAL | NESTED, &flow.original);
            messages.attribute(ID, &flow.id);
            if let Some(zone) = &flow.zone {
                messages.attribute(ZONE, zone);
            }
            messages.end();
        }
        let acks = self.channel.transact(&messages).map_err(ConntrackError::Delete)?;
        let refused = acks.iter().find(|ack| !matches!(ack.errno, 0 | libc::ENOENT));
        match refused {
            // A flow that ended by itself in between is none to count and no failure.
            None => Ok(acks.iter().filter(|ack| ack.errno == 0).count()),
            Some(ack) => Err(ConntrackError::Refused(std::io::Error::from_raw_os_error(ack.errno))),
        }
    }

    fn head(&mut self, kind: u16, flags: u16) -> Head {
        let sequence = self.channel.next_sequence();
        Head { kind, flags, sequence, family: FAMILY_IPV4, resource: 0 }
    }
}

const NESTED: u16 = 1 << 15;

/// Lets the kernel send only flows to one original destination.
fn push_filter(request: &mut Writer, filter: Filter) {
    let flags = FILTER_IP_DESTINATION | filter.protocol.map_or(0, |_| FILTER_PROTOCOL_NUMBER);
    let tuple = request.nest(TUPLE_ORIGINAL);
    let ip = request.nest(TUPLE_IP);
    request.attribute(IP_DESTINATION, &Ipv4Addr::octets(&filter.address));
    request.end_nest(ip);
    if let Some(protocol) = filter.protocol {
        let nest = request.nest(TUPLE_PROTOCOL);
        request.attribute(PROTOCOL_NUMBER, &[protocol.number()]);
        request.end_nest(nest);
    }
    request.end_nest(tuple);
    let nest = request.nest(FILTER);
    // These two are in the host's order, unlike all other numbers here.
    request.attribute(FILTER_ORIGINAL, &flags.to_ne_bytes());
    request.attribute(FILTER_REPLY, &0_u32.to_ne_bytes());
    request.end_nest(nest);
}
