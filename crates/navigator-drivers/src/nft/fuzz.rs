//! What nfnetlink and `nft list` say, on any bytes.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    dump, text,
    wire::{Attributes, Messages},
};
use crate::fuzz::{damaged, payload};

const LISTING: &str = "table ip other {\n}\ntable ip navigator {\n\tmap forwards {\n\t\ttype \
    inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service\n\t}\n\n\tset allowed \
    {\n\t\ttype inet_proto . ipv4_addr\n\t\tflags interval\n\t}\n\n\tchain prerouting \
    {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t}\n}\n";

fn read(listing: &str) {
    let table = text::table(listing);
    assert!(listing.contains(table));
    let read = text::Listing::parse(table);
    let _ = read.can_become(&text::Listing::parse(LISTING));
    let _ = text::Listing::parse(listing).chains().count();
}

proptest! {
    #[test]
    fn fuzz_datagrams_and_elements(payload in payload()) {
        // Each message has a head at least: more than these cannot be in it.
        prop_assert!(Messages(&payload).count() <= payload.len() / 16);
        for message in Messages(&payload) {
            prop_assert!(message.attributes().count() <= payload.len() / 4);
        }
        for (_, value) in Attributes(&payload) {
            let _ = dump::element(Attributes(value));
        }
        let _ = dump::element(Attributes(&payload));
    }

    #[test]
    fn fuzz_listings(
        text in any::<String>(),
        changes in vec((any::<Index>(), any::<u8>()), 0..8),
        end in proptest::option::of(any::<Index>()),
    ) {
        let damaged = damaged(LISTING.as_bytes().to_vec(), &changes, end);
        read(&String::from_utf8_lossy(&damaged));
        read(&text);
    }
}
