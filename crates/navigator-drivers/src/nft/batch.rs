//! Changes elements in one nftables transaction, and, when the kernel refuses it, finds whose
//! fault that is and applies everything else.
//!
//! First all removals go, then all additions, so that an element is replaced and an interval moved
//! without a moment in between. The kernel checks a whole transaction even after a failure and
//! reports every failing message. So the first attempt packs many elements into each message; after
//! a failure each element gets a message of its own, and one attempt names all that are refused.

use std::{collections::BTreeMap, io};

use navigator_state::nft::{Element, ElementChange, TABLE, Tuple};

use super::{
    NftError,
    channel::{Ack, Channel, ChannelError, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST},
    kernel::{self, message},
    wire::{Head, Writer},
};

/// A nested attribute's length has 16 bits; an element of ours takes less than 100 bytes.
const LIST_BYTES: usize = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Remove,
    Add,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    Dense,
    OneByOne,
}

/// How far one change has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Open,
    /// What it removes is gone already.
    Removed,
    Refused(i32),
}

/// One message of a transaction and the changes in it, each with its offset in the message.
struct Sent {
    sequence: u32,
    operation: Operation,
    elements: Vec<(usize, usize)>,
}

/// What came of an attempt.
enum Outcome {
    Applied,
    /// Some changes turned out refused or done; the others may be tried again.
    Narrowed,
    /// Refused, for the reason given, without a hint at the culprit.
    Unexplained(i32),
}

/// Applies `changes`; one result for each, in order.
pub(super) fn apply(channel: &mut Channel, changes: &[ElementChange]) -> Vec<Result<(), NftError>> {
    let mut progress = vec![Progress::Open; changes.len()];
    let all: Vec<usize> = (0..changes.len()).collect();
    if let Err(error) = narrow(channel, changes, &mut progress, &all) {
        // The socket failed: nothing is known to have been applied.
        let text = error.to_string();
        let mut results: Vec<_> =
            changes.iter().map(|_| Err(NftError::Unconfirmed(text.clone()))).collect();
        if let Some(first) = results.first_mut() {
            *first = Err(error.into());
        }
        return results;
    }
    changes.iter().zip(progress).map(|(change, progress)| verdict(change, progress)).collect()
}

fn verdict(change: &ElementChange, progress: Progress) -> Result<(), NftError> {
    match progress {
        Progress::Open | Progress::Removed => Ok(()),
        Progress::Refused(errno) => Err(NftError::Refused {
            set: change.set.clone(),
            key: change.key,
            source: io::Error::from_raw_os_error(errno),
        }),
    }
}

/// Tries the changes of `part` until they are applied or refused; halves the part where the kernel
/// does not say who is at fault.
fn narrow(
    channel: &mut Channel,
    changes: &[ElementChange],
    progress: &mut [Progress],
    part: &[usize],
) -> Result<(), ChannelError> {
    let mut packing = Packing::Dense;
    loop {
        match attempt(channel, changes, progress, part, packing)? {
            Outcome::Applied => return Ok(()),
            Outcome::Narrowed => packing = Packing::OneByOne,
            Outcome::Unexplained(_) if packing == Packing::Dense => packing = Packing::OneByOne,
            Outcome::Unexplained(errno) => {
                let open: Vec<usize> = part
                    .iter()
                    .copied()
                    .filter(|n| !matches!(progress[*n], Progress::Refused(_)))
                    .collect();
                if let [only] = open[..] {
                    progress[only] = Progress::Refused(errno);
                    return Ok(());
                }
                let (left, right) = open.split_at(open.len() / 2);
                narrow(channel, changes, progress, left)?;
                return narrow(channel, changes, progress, right);
            }
        }
    }
}

fn attempt(
    channel: &mut Channel,
    changes: &[ElementChange],
    progress: &mut [Progress],
    part: &[usize],
    packing: Packing,
) -> Result<Outcome, ChannelError> {
    let (writer, sent) = Builder::build(channel, changes, progress, part, packing);
    let Some(last) = sent.last() else { return Ok(Outcome::Applied) };
    let acks = channel.transact(&writer)?;
    let mut failed = acks.iter().filter(|ack| ack.errno != 0).peekable();
    if failed.peek().is_none() {
        let confirmed = acks.iter().any(|ack| ack.sequence == last.sequence);
        return Ok(if confirmed { Outcome::Applied } else { Outcome::Unexplained(libc::EIO) });
    }
    let mut outcome = Outcome::Unexplained(libc::EIO);
    for ack in failed {
        let Some((index, operation)) = culprit(&sent, ack) else {
            if !matches!(outcome, Outcome::Narrowed) {
                outcome = Outcome::Unexplained(ack.errno);
            }
            continue;
        };
        progress[index] = match (operation, ack.errno) {
            (Operation::Remove, libc::ENOENT) => Progress::Removed,
            (_, errno) => Progress::Refused(errno),
        };
        outcome = Outcome::Narrowed;
    }
    Ok(outcome)
}

/// The change that an error speaks of: the message's only one, or the one at the offset given.
fn culprit(sent: &[Sent], ack: &Ack) -> Option<(usize, Operation)> {
    let position = sent.binary_search_by_key(&ack.sequence, |sent| sent.sequence).ok()?;
    let sent = &sent[position];
    let index = match sent.elements[..] {
        [(_, only)] => only,
        _ => sent.elements.iter().find(|(offset, _)| Some(*offset) == ack.offset)?.1,
    };
    Some((index, sent.operation))
}

struct Builder<'a> {
    channel: &'a mut Channel,
    writer: Writer,
    sent: Vec<Sent>,
}

impl<'a> Builder<'a> {
    fn build(
        channel: &'a mut Channel,
        changes: &[ElementChange],
        progress: &[Progress],
        part: &[usize],
        packing: Packing,
    ) -> (Writer, Vec<Sent>) {
        let mut lists: BTreeMap<(Operation, &str), Vec<usize>> = BTreeMap::new();
        for &n in part {
            let change = &changes[n];
            if change.remove.is_some() && progress[n] == Progress::Open {
                lists.entry((Operation::Remove, &change.set)).or_default().push(n);
            }
            if change.add.is_some() && !matches!(progress[n], Progress::Refused(_)) {
                lists.entry((Operation::Add, &change.set)).or_default().push(n);
            }
        }
        let mut builder = Self { channel, writer: Writer::new(), sent: Vec::new() };
        builder.frame(kernel::BATCH_BEGIN);
        let mut lists = lists.into_iter().peekable();
        while let Some(((operation, set), indices)) = lists.next() {
            let last = lists.peek().is_none();
            let mut rest = &indices[..];
            while !rest.is_empty() {
                rest = builder.list(changes, operation, set, rest, (packing, last));
            }
        }
        builder.frame(kernel::BATCH_END);
        (builder.writer, builder.sent)
    }

    fn frame(&mut self, kind: u16) {
        let sequence = self.channel.next_sequence();
        let resource = kernel::SUBSYSTEM_ID;
        self.writer.begin(Head { kind, flags: NLM_F_REQUEST, sequence, family: 0, resource });
        self.writer.end();
    }

    /// One message with as many of `indices` as fit; what is left over. The transaction's last
    /// message asks for an acknowledgement: it comes only if everything was taken.
    fn list<'n>(
        &mut self,
        changes: &[ElementChange],
        operation: Operation,
        set: &str,
        indices: &'n [usize],
        (packing, last): (Packing, bool),
    ) -> &'n [usize] {
        let fits = match packing {
            Packing::OneByOne => 1,
            Packing::Dense => indices.len().min(LIST_BYTES / 100),
        };
        let (now, rest) = indices.split_at(fits);
        let acknowledge = if last && rest.is_empty() { NLM_F_ACK } else { 0 };
        let sequence = self.begin(operation, set, acknowledge);
        let list = self.writer.nest(kernel::LIST_ELEMENTS);
        let mut elements = Vec::with_capacity(now.len());
        for &n in now {
            let change = &changes[n];
            let element = match operation {
                Operation::Remove => &change.remove,
                Operation::Add => &change.add,
            };
            elements.push((self.writer.offset(), n));
            self.element(&change.key, &element.unwrap_or_default());
        }
        self.writer.end_nest(list);
        self.writer.end();
        self.sent.push(Sent { sequence, operation, elements });
        rest
    }

    fn begin(&mut self, operation: Operation, set: &str, acknowledge: u16) -> u32 {
        let (number, create) = match operation {
            Operation::Remove => (kernel::DELETE_ELEMENTS, 0),
            Operation::Add => (kernel::NEW_ELEMENTS, NLM_F_CREATE),
        };
        let sequence = self.channel.next_sequence();
        self.writer.begin(message(number, NLM_F_REQUEST | create | acknowledge, sequence));
        self.writer.text(kernel::LIST_TABLE, TABLE);
        self.writer.text(kernel::LIST_SET, set);
        sequence
    }

    fn element(&mut self, key: &Tuple, element: &Element) {
        let nest = self.writer.nest(kernel::LIST_ELEMENT);
        if key.as_bytes().is_empty() {
            self.writer.number(kernel::ELEMENT_FLAGS, kernel::CATCH_ALL);
        } else {
            self.data(kernel::ELEMENT_KEY, key);
        }
        if let Some(end) = &element.key_end {
            self.data(kernel::ELEMENT_KEY_END, end);
        }
        if let Some(data) = &element.data {
            self.data(kernel::ELEMENT_DATA, data);
        }
        self.writer.end_nest(nest);
    }

    fn data(&mut self, kind: u16, tuple: &Tuple) {
        let nest = self.writer.nest(kind);
        self.writer.attribute(kernel::DATA_VALUE, tuple.as_bytes());
        self.writer.end_nest(nest);
    }
}
