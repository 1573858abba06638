//! A scope's nftables table: a constant skeleton of chains and sets, and the sets' elements.
//!
//! The skeleton is compared as text, in the form in which libnftables lists it
//! (`nft --stateless --terse list table`), so that a deleted or inserted rule shows. Elements are
//! compared one by one; a change is a netlink message per element.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use navigator_model::{ObjectKey, Protocol};

pub mod layout;
pub mod rule;

/// The table of every scope, in its own namespace. Its name is the ownership mark.
pub const TABLE: &str = "navigator";

/// A set's or map's key, or a map's value, laid out as the kernel has it: each field padded to
/// four bytes, numbers in network order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tuple {
    bytes: [u8; 16],
    length: u8,
}

impl Tuple {
    pub fn new() -> Self {
        Self::default()
    }

    fn field(mut self, value: [u8; 4]) -> Self {
        let start = usize::from(self.length);
        self.bytes[start..start + 4].copy_from_slice(&value);
        self.length += 4;
        self
    }

    /// An `ipv4_addr` field.
    pub fn ipv4(self, address: Ipv4Addr) -> Self {
        self.field(address.octets())
    }

    /// An `inet_service` field.
    pub fn port(self, port: u16) -> Self {
        let [high, low] = port.to_be_bytes();
        self.field([high, low, 0, 0])
    }

    /// An `inet_proto` field.
    pub fn protocol(self, protocol: Protocol) -> Self {
        self.field([protocol.number(), 0, 0, 0])
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// From the kernel's bytes; `None` if longer than any key of ours.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut tuple = Self { length: u8::try_from(bytes.len()).ok()?, ..Self::default() };
        tuple.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(tuple)
    }

    /// The n-th field of four bytes, zero where the tuple is shorter.
    pub fn word(&self, n: usize) -> [u8; 4] {
        let mut word = [0; 4];
        if let Some(bytes) = self.bytes.get(n * 4..n * 4 + 4) {
            word.copy_from_slice(bytes);
        }
        word
    }
}

impl fmt::Debug for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, word) in self.as_bytes().chunks(4).enumerate() {
            let dot = if n == 0 { "" } else { " . " };
            write!(f, "{dot}{}", IpAddr::from([word[0], word[1], word[2], word[3]]))?;
        }
        Ok(())
    }
}

/// What a key leads to: nothing in a set, a value in a map; `key_end` in an interval set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Element {
    pub key_end: Option<Tuple>,
    pub data: Option<Tuple>,
}

/// The elements of one set, as found.
pub type Elements = BTreeMap<Tuple, Element>;

/// The elements of one set, as wanted, each with the object that wants it.
pub type DesiredElements = BTreeMap<Tuple, (Element, ObjectKey)>;

#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Complete text of the table without elements, in listing form: `table ip navigator { … }`.
    pub skeleton: String,
    /// For every set and map that the skeleton declares.
    pub sets: BTreeMap<String, DesiredElements>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actual {
    /// Empty when the table is absent.
    pub skeleton: String,
    pub sets: BTreeMap<String, Elements>,
    /// The namespace's ruleset generation when this was read (NFT_MSG_GETGEN).
    pub generation: u32,
}

/// One element to add (or replace: a map element is deleted and added in the same transaction) or
/// to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementChange {
    pub set: String,
    pub key: Tuple,
    /// What is there now and has to go, if anything.
    pub remove: Option<Element>,
    /// What has to be there, if anything.
    pub add: Option<Element>,
    pub object: Option<ObjectKey>,
}
