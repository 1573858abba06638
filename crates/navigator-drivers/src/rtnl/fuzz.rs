//! What rtnetlink says, on any bytes.

use netlink_packet_core::Parseable as _;
use netlink_packet_route::{
    address::AddressMessage, neighbour::NeighbourMessage, route::RouteMessage,
};
use proptest::prelude::*;

use super::{acknowledged, address, fdb, link, route};
use crate::fuzz::payload;

proptest! {
    #[test]
    fn fuzz_links_routes_addresses_and_neighbours(payload in payload()) {
        link::parse(&payload);
        let _ = RouteMessage::parse(&payload[..]).map(|message| route::found(&message));
        let _ = AddressMessage::parse(&payload[..]).map(|message| address::found(&message));
        let _ = NeighbourMessage::parse(&payload[..]).map(|message| fdb::found(&message));
        let _ = acknowledged(&payload, payload.get(20..));
    }
}
