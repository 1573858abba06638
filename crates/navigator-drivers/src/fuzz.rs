//! Bytes that look like netlink's, for the tests of everything that reads them: a reader may make
//! nothing of them, but it comes to an end and never panics.

use proptest::{collection::vec, prelude::*, sample::Index};

/// Netlink attributes in attributes, some with wrong lengths.
pub(crate) fn attributes() -> impl Strategy<Value = Vec<u8>> {
    let leaf = vec(any::<u8>(), 0..24);
    let nested = leaf.prop_recursive(4, 64, 6, |inner| {
        let one = (0..20_u16, inner, prop_oneof![9 => Just(0_i32), 1 => -5..70_000_i32]);
        vec(one, 0..6).prop_map(|all| {
            let mut bytes = Vec::new();
            for (kind, value, wrong) in all {
                let length = (value.len() as i32 + 4 + wrong).clamp(0, 0xffff) as u16;
                bytes.extend(length.to_ne_bytes());
                bytes.extend(kind.to_ne_bytes());
                bytes.extend(value);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            bytes
        })
    });
    prop_oneof![3 => nested, 1 => vec(any::<u8>(), 0..400)]
}

/// Some bytes of it changed, or its end missing.
pub(crate) fn damaged(mut bytes: Vec<u8>, changes: &[(Index, u8)], end: Option<Index>) -> Vec<u8> {
    if !bytes.is_empty() {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len()));
        }
    }
    bytes
}

prop_compose! {
    pub(crate) fn payload()(
        head in vec(any::<u8>(), 0..32),
        attributes in attributes(),
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        end in proptest::option::of(any::<Index>()),
    ) -> Vec<u8> {
        damaged([head, attributes].concat(), &changes, end)
    }
}
