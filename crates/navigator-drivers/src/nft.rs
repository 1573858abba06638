//! nftables: the table `ip navigator` of one network namespace, observed and changed.
//!
//! In go a skeleton as text and element changes as values, out comes [`Actual`]. Rulesets go through
//! libnftables, elements through netlink messages (5 µs instead of 80 µs each). Tables other than
//! ours (and its guard) are never touched; nothing is remembered between calls.
//!
//! # The canonical form of a skeleton
//!
//! A skeleton is what libnftables prints for `nft --stateless --terse list table ip navigator`, byte
//! for byte, so that comparing texts finds every foreign change. As of nft 1.0.6:
//!
//! - Tabs indent; a blank line stands between two objects, none before the first and after the
//!   last; the text ends with `}` and a newline. One statement per line, no trailing `;`.
//! - Sets and maps come first, in the order in which they were made, then chains, likewise. `type`
//!   precedes `flags` (`flags interval`). Sets cannot be changed or reordered in place.
//! - A base chain's first line always tells its policy:
//!   `type nat hook prerouting priority dstnat; policy accept;`.
//! - Priorities get names within ±10 of a name that the hook knows: prerouting -300 `raw`, -150
//!   `mangle`, -100 `dstnat`, -110 `dstnat - 10`, 0 `filter`; output -100 stays `-100` (`dstnat` is
//!   refused there); postrouting 100 `srcnat`.
//! - NAT by a map to address and port: `dnat ip to … map @forwards`; to an address alone, or a
//!   constant: `dnat to ip daddr map @floating_to_fixed`, `snat to 198.51.100.7 fully-random`.
//! - Marks have eight digits (`ct mark & 0x00000001 == 0x00000001`), device names quotes, protocols
//!   names. `ct status ! dnat` tests the bit; `ct status != dnat` compares the whole word.
//! - `ct original proto-dst` is refused in a concatenation.
//!
//! # Replacing a skeleton
//!
//! One transaction flushes the table (rules go, sets and elements stay), deletes the chains, and
//! makes all chains anew: their order and hooks are then those of the text. The kernel hooks new
//! chains up before it lets go of the old ones, so no packet passes without NAT. Sets stay only if
//! those present are the first of those wanted; otherwise the table has to be recreated.

mod batch;
mod channel;
mod dump;
#[cfg(test)]
mod fuzz;
mod guard;
mod kernel;
mod library;
mod ports;
mod text;
mod wire;

use std::io;

use navigator_state::nft::{Actual, ElementChange, TABLE, Tuple};

pub use self::channel::ChannelError;
pub(crate) use self::{
    channel::{Channel, Dump, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST},
    kernel::NEW_GENERATION,
    ports::{NamespaceInode, is_own},
    wire::{Attributes, Head, Messages, Received, Writer},
};
use self::{library::Library, ports::OwnPorts, text::Listing};

const LIST: &str = "list ruleset ip\n";

/// How often to read a table that changes while it is read.
const OBSERVE_ATTEMPTS: usize = 8;

#[derive(Debug, thiserror::Error)]
pub enum NftError {
    #[error("cannot use nftables in this network namespace")]
    Open(#[source] io::Error),
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The library's own words, with the line at fault.
    #[error("nftables refused: {0}")]
    Library(String),
    #[error("the kernel refused an element of {set}, {key:?}")]
    Refused {
        set: String,
        key: Tuple,
        #[source]
        source: io::Error,
    },
    /// The transaction's fate is unknown: the connection to the kernel failed.
    #[error("not confirmed by the kernel: {0}")]
    Unconfirmed(String),
    #[error("the sets in the kernel are not those wanted: the table has to be recreated")]
    SetsDiffer,
    #[error("an element belongs to a set that the skeleton does not declare")]
    UndeclaredSet,
    #[error("the table changes faster than it can be read")]
    Unstable,
}

/// The nftables of one network namespace. Works from any thread once open. It keeps the namespace
/// alive: drop it when the namespace's name is gone.
pub struct Nft {
    library: Library,
    channel: Channel,
    guarded: bool,
    _own: OwnPorts,
}

impl Nft {
    /// In the calling thread's network namespace.
    pub fn open() -> Result<Self, NftError> {
        // First, because the library terminates the process where this fails with an error.
        let channel = Channel::open()?;
        let library = Library::open().map_err(NftError::Open)?;
        let namespace = NamespaceInode::current().map_err(NftError::Open)?;
        let _own = OwnPorts::register(namespace, vec![channel.port()]);
        Ok(Self { library, channel, guarded: false, _own })
    }

    /// How many transactions this namespace has seen, in any table. Only comparable with other
    /// numbers from the same namespace, not from an earlier one of the same name.
    pub fn generation(&mut self) -> Result<u32, NftError> {
        Ok(dump::generation(&mut self.channel)?)
    }

    /// Everything in our table, as of one moment; `None` if the generation is `known_generation`,
    /// so that nothing has changed since.
    pub fn observe(&mut self, known_generation: Option<u32>) -> Result<Option<Actual>, NftError> {
        for _ in 0..OBSERVE_ATTEMPTS {
            let generation = self.generation()?;
            if known_generation == Some(generation) {
                return Ok(None);
            }
            let skeleton = self.skeleton()?;
            let sets = dump::sets(&mut self.channel)?;
            if let Some(sets) = sets
                && self.generation()? == generation
            {
                return Ok(Some(Actual { skeleton, sets, generation }));
            }
        }
        Err(NftError::Unstable)
    }

    /// The table's listing without elements; empty if there is no table.
    ///
    /// Cut out of the whole ruleset's: only for that one does the library (1.0.6) leave the
    /// elements in the kernel. For `list table` it fetches all and then does not print them, which
    /// takes half a second for 50,000.
    fn skeleton(&mut self) -> Result<String, NftError> {
        Ok(text::table(&self.run(LIST)?).to_owned())
    }

    /// Makes the table's chains those of `text`, a complete table in canonical form, in one
    /// transaction. Sets keep their elements, unless the table is to be recreated: then what
    /// `elements` add is part of the transaction.
    ///
    /// If a recreation fails for an element's sake, everything else is still applied, and the error
    /// is the first refused element's.
    pub fn replace_skeleton(
        &mut self,
        text: &str,
        recreate: bool,
        elements: &[ElementChange],
    ) -> Result<(), NftError> {
        self.guard();
        if recreate {
            return self.recreate(text, elements);
        }
        let present = self.skeleton()?;
        let present = Listing::parse(&present);
        if !present.can_become(&Listing::parse(text)) {
            return Err(NftError::SetsDiffer);
        }
        let mut commands = format!("add table ip {TABLE}\nflush table ip {TABLE}\n");
        for chain in present.chains() {
            commands.push_str(&format!("delete chain ip {TABLE} {chain}\n"));
        }
        commands.push_str(text);
        self.run(&commands)?;
        elements_result(self.change_elements(elements))
    }

    fn recreate(&mut self, text: &str, elements: &[ElementChange]) -> Result<(), NftError> {
        let bare = format!("add table ip {TABLE}\ndelete table ip {TABLE}\n{text}");
        let with_elements =
            text::add_elements(text, elements).map(|added| self.run(&format!("{bare}\n{added}")));
        if let Some(Ok(_)) = with_elements {
            return Ok(());
        }
        self.run(&bare)?;
        elements_result(self.change_elements(elements))?;
        match with_elements {
            None => Err(NftError::UndeclaredSet),
            Some(_) => Ok(()),
        }
    }

    /// Applies the changes in one transaction; one result for each, in order. If some are refused,
    /// all others are applied together. Removing what is gone already is success.
    pub fn change_elements(&mut self, changes: &[ElementChange]) -> Vec<Result<(), NftError>> {
        self.guard();
        batch::apply(&mut self.channel, changes)
    }

    /// Deletes our table with everything in it; success if it is gone already.
    pub fn delete_table(&mut self) -> Result<(), NftError> {
        self.run(&format!("add table ip {TABLE}\ndelete table ip {TABLE}\n"))?;
        if std::mem::take(&mut self.guarded) {
            // It may be gone already: the library closes the sockets of many namespaces' tables.
            let _ = self.run(&guard::delete());
        }
        Ok(())
    }

    /// Whoever changes rules here stands by to repair them. Not before: a process that finds
    /// everything as it should be leaves no trace. Without it (older kernels, or an agent that is
    /// just ending still has it) only a foreign flush costs more.
    fn guard(&mut self) {
        if !self.guarded {
            self.guarded = self.run(&guard::add()).is_ok();
        }
    }

    fn run(&mut self, commands: &str) -> Result<String, NftError> {
        self.library.run(commands).map_err(NftError::Library)
    }
}

fn elements_result(results: Vec<Result<(), NftError>>) -> Result<(), NftError> {
    results.into_iter().collect()
}
