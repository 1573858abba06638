//! Reads the table's sets and their elements from the kernel by netlink dumps.

use std::collections::BTreeMap;

use navigator_state::nft::{Element, Elements, TABLE, Tuple};

use super::{
    channel::{Channel, ChannelError, Dump, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST},
    kernel::{self, message},
    wire::{Attributes, Head, Writer},
};

/// The ruleset's generation: the kernel counts every transaction of the namespace.
pub(super) fn generation(channel: &mut Channel) -> Result<u32, ChannelError> {
    let mut request = Writer::new();
    let head = request_head(channel, kernel::GET_GENERATION, NLM_F_ACK);
    request.begin(Head { family: 0, ..head });
    request.end();
    let mut generation = 0;
    let _ = channel.request(&request, |message| {
        generation = message.attributes().number(kernel::GENERATION_ID).unwrap_or(0);
    })?;
    Ok(generation)
}

/// Every set and map of the table with its elements; `None` if the kernel says that it changed
/// meanwhile.
pub(super) fn sets(
    channel: &mut Channel,
) -> Result<Option<BTreeMap<String, Elements>>, ChannelError> {
    let (names, dump) = names(channel)?;
    let mut sets = BTreeMap::new();
    if dump == Dump::Interrupted {
        return Ok(None);
    }
    for name in names {
        match elements(channel, &name) {
            Ok((elements, Dump::Consistent)) => sets.insert(name, elements),
            Ok((_, Dump::Interrupted)) => return Ok(None),
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) => return Err(error),
        };
    }
    Ok(Some(sets))
}

fn names(channel: &mut Channel) -> Result<(Vec<String>, Dump), ChannelError> {
    let mut request = Writer::new();
    request.begin(request_head(channel, kernel::GET_SET, NLM_F_DUMP));
    request.text(kernel::SET_TABLE, TABLE);
    request.end();
    let mut names = Vec::new();
    let result = channel.request(&request, |message| {
        let attributes = message.attributes();
        let anonymous = attributes.number(kernel::SET_FLAGS).unwrap_or(0) & kernel::ANONYMOUS;
        if attributes.text(kernel::SET_TABLE) == Some(TABLE)
            && anonymous == 0
            && let Some(name) = attributes.text(kernel::SET_NAME)
        {
            names.push(name.to_owned());
        }
    });
    match result {
        Ok(dump) => Ok((names, dump)),
        Err(error) if error.is_absent() => Ok((Vec::new(), Dump::Consistent)),
        Err(error) => Err(error),
    }
}

fn elements(channel: &mut Channel, set: &str) -> Result<(Elements, Dump), ChannelError> {
    let mut request = Writer::new();
    request.begin(request_head(channel, kernel::GET_ELEMENTS, NLM_F_DUMP));
    request.text(kernel::LIST_TABLE, TABLE);
    request.text(kernel::LIST_SET, set);
    request.end();
    let mut found = Vec::new();
    let dump = channel.request(&request, |message| {
        let list = message.attributes().nested(kernel::LIST_ELEMENTS);
        found.extend(list.into_iter().flatten().filter_map(|(_, one)| element(Attributes(one))));
    })?;
    // Sorted at once: much cheaper than inserting one by one in hash order.
    Ok((found.into_iter().collect(), dump))
}

/// A catch-all element, which only a stranger can have made, reads as an empty key.
pub(super) fn element(attributes: Attributes<'_>) -> Option<(Tuple, Element)> {
    let tuple = |kind| {
        let value = attributes.nested(kind)?.find(kernel::DATA_VALUE)?;
        Tuple::from_bytes(value)
    };
    let key = match tuple(kernel::ELEMENT_KEY) {
        Some(key) => key,
        None if attributes.number(kernel::ELEMENT_FLAGS)? & kernel::CATCH_ALL != 0 => Tuple::new(),
        None => return None,
    };
    // In a set of boxes an element always has an end, a box of one value its own.
    let key_end = tuple(kernel::ELEMENT_KEY_END);
    Some((key, Element { key_end, data: tuple(kernel::ELEMENT_DATA) }))
}

fn request_head(channel: &mut Channel, operation: u16, flags: u16) -> Head {
    message(operation, NLM_F_REQUEST | flags, channel.next_sequence())
}
