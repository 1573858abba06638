//! A router's skeleton in canonical form, and its elements.

#![allow(dead_code)]

use std::net::Ipv4Addr;

use navigator_model::Protocol;
use navigator_state::nft::{Element, ElementChange, Tuple};

pub(crate) const ROUTER: &str = r#"table ip navigator {
	map forwards {
		type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
	}

	map floating_to_fixed {
		type ipv4_addr : ipv4_addr
	}

	map fixed_to_floating {
		type ipv4_addr : ipv4_addr
	}

	set restricted {
		type inet_proto . ipv4_addr . inet_service
	}

	set allowed {
		type inet_proto . ipv4_addr . inet_service . ipv4_addr
		flags interval
	}

	set masqueraded {
		type inet_proto . ipv4_addr . inet_service
	}

	chain filter {
		type filter hook prerouting priority dstnat - 10; policy accept;
		meta l4proto . ip daddr . th dport @restricted meta l4proto . ip daddr . th dport . ip saddr != @allowed drop
		ct state new meta l4proto . ip daddr . th dport @masqueraded ct mark set ct mark | 0x00000001
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		dnat ip to meta l4proto . ip daddr . th dport map @forwards
		dnat to ip daddr map @floating_to_fixed
	}

	chain output {
		type nat hook output priority -100; policy accept;
		dnat ip to meta l4proto . ip daddr . th dport map @forwards
		dnat to ip daddr map @floating_to_fixed
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ct mark & 0x00000001 == 0x00000001 masquerade fully-random
		ct status dnat iifname != "qg-0123456-78" oifname != "qg-0123456-78" snat to 10.0.0.1
		oifname "qg-0123456-78" snat to ip saddr map @fixed_to_floating
		oifname "qg-0123456-78" snat to 198.51.100.1 fully-random
	}
}
"#;

pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

pub(crate) fn key(protocol: Protocol, port: u16) -> Tuple {
    Tuple::new().protocol(protocol).ipv4(GATEWAY).port(port)
}

pub(crate) fn target(port: u16) -> Element {
    Element { key_end: None, data: Some(Tuple::new().ipv4(SERVER).port(port)) }
}

pub(crate) fn change(
    set: &str,
    key: Tuple,
    remove: Option<Element>,
    add: Option<Element>,
) -> ElementChange {
    ElementChange { set: set.to_owned(), key, remove, add, object: None }
}

/// A forward of the gateway's `port` to the server's `to`.
pub(crate) fn forward(protocol: Protocol, port: u16, to: u16) -> ElementChange {
    change("forwards", key(protocol, port), None, Some(target(to)))
}
