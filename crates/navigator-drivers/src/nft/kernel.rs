//! The kernel's numbers for nftables messages (`linux/netfilter/nf_tables.h`, `nfnetlink.h`).

use super::wire::Head;

const SUBSYSTEM: u16 = 10 << 8;
const FAMILY_IPV4: u8 = 2;

pub(super) const BATCH_BEGIN: u16 = 16;
pub(super) const BATCH_END: u16 = 17;
pub(super) const SUBSYSTEM_ID: u16 = 10;

pub(super) const GET_SET: u16 = 10;
pub(super) const NEW_ELEMENTS: u16 = 12;
pub(super) const GET_ELEMENTS: u16 = 13;
pub(super) const DELETE_ELEMENTS: u16 = 14;
pub(crate) const NEW_GENERATION: u16 = SUBSYSTEM | 15;
pub(super) const GET_GENERATION: u16 = 16;

pub(super) const GENERATION_ID: u16 = 1;

pub(super) const SET_TABLE: u16 = 1;
pub(super) const SET_NAME: u16 = 2;
pub(super) const SET_FLAGS: u16 = 3;
pub(super) const ANONYMOUS: u32 = 1;

pub(super) const LIST_TABLE: u16 = 1;
pub(super) const LIST_SET: u16 = 2;
pub(super) const LIST_ELEMENTS: u16 = 3;
pub(super) const LIST_ELEMENT: u16 = 1;

pub(super) const ELEMENT_KEY: u16 = 1;
pub(super) const ELEMENT_DATA: u16 = 2;
pub(super) const ELEMENT_FLAGS: u16 = 3;
pub(super) const ELEMENT_KEY_END: u16 = 10;
pub(super) const CATCH_ALL: u32 = 2;

pub(super) const DATA_VALUE: u16 = 1;

/// The head of an nftables message of the family `ip`.
pub(super) fn message(operation: u16, flags: u16, sequence: u32) -> Head {
    Head { kind: SUBSYSTEM | operation, flags, sequence, family: FAMILY_IPV4, resource: 0 }
}
