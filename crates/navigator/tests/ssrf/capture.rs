//! What the kernel of a host saw arrive: a set of nftables that every TCP and UDP packet adds itself
//! to. Nothing has to listen, no packet is missed, and looking changes nothing.

use std::{collections::BTreeSet, fs, net::Ipv4Addr};

use navigator_testkit::{Host, Namespaces};
use serde_json::Value;

/// Destination, protocol, destination port.
pub(crate) type Arrival = (Ipv4Addr, String, u16);

/// Which packets count.
#[derive(Clone, Copy)]
pub(crate) enum Look {
    /// All that the devices take in, also what is for nobody: multicast, other addresses.
    Everything,
    /// What is delivered to the host itself, without its own loopback.
    Delivered,
}

pub(crate) struct Capture {
    pub(crate) name: &'static str,
    host: Namespaces,
    /// Of a namespace inside the host.
    enter: Vec<String>,
}

impl Capture {
    pub(crate) fn start(
        name: &'static str,
        host: &Host,
        namespace: Option<&str>,
        look: Look,
    ) -> Self {
        let enter = namespace.map_or_else(Vec::new, |namespace| {
            ["ip", "netns", "exec", namespace].map(str::to_owned).into()
        });
        let capture = Self { name, host: (*host).clone(), enter };
        let hook = match look {
            Look::Everything => "prerouting",
            Look::Delivered => "input",
        };
        let rules = format!(
            "table inet capture {{
                set seen {{
                    type ipv4_addr . inet_proto . inet_service; flags dynamic; size 65535;
                }}
                chain arrivals {{
                    type filter hook {hook} priority -400;
                    iifname != \"lo\" meta l4proto {{ tcp, udp }} add @seen {{ ip daddr . meta l4proto . th dport }}
                }}
            }}"
        );
        let file = host.dir().join(format!("{name}.nft"));
        fs::write(&file, rules).unwrap();
        capture.nft(&["-f", &file.to_string_lossy()]);
        capture
    }

    fn nft(&self, arguments: &[&str]) -> String {
        let enter = self.enter.iter().map(String::as_str);
        let argv: Vec<&str> = enter.chain(["nft"]).chain(arguments.iter().copied()).collect();
        self.host.run(&argv).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    pub(crate) fn forget(&self) {
        self.nft(&["flush", "set", "inet", "capture", "seen"]);
    }

    pub(crate) fn arrivals(&self) -> BTreeSet<Arrival> {
        let text = self.nft(&["-j", "list", "set", "inet", "capture", "seen"]);
        let answer: Value = serde_json::from_str(&text).unwrap();
        let set = answer["nftables"].as_array().unwrap().iter().find_map(|item| item.get("set"));
        let elements = set.unwrap()["elem"].as_array().cloned().unwrap_or_default();
        elements.iter().map(arrival).collect()
    }
}

fn arrival(element: &Value) -> Arrival {
    let part = |n: usize| &element["concat"][n];
    let address = part(0).as_str().and_then(|text| text.parse().ok());
    let port = part(2).as_u64().and_then(|port| u16::try_from(port).ok());
    match (address, part(1).as_str(), port) {
        (Some(address), Some(protocol), Some(port)) => (address, protocol.to_owned(), port),
        _ => panic!("not an arrival: {element}"),
    }
}
