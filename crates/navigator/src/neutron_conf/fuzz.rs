//! Configuration files of any text: understood or refused, never a panic, never for long.

use std::time::{Duration, Instant};

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::config::Config;

const NEUTRON: &str = "[DEFAULT]\nbind_host = 192.0.2.1\nbind_port = 9700\ncore_plugin = ml2\n\
    base_mac = fa:16:3f:00:00:00\nhost = $name.$bind_port\nname = ${bind_host}\n\
    [quotas]\nquota_port = -1\n[database]\nconnection = postgresql://neutron:p$$w@db/neutron\n\
    [ml2_type_vlan]\nnetwork_vlan_ranges = physnet1:100:200,public\n\
    [ml2_type_vxlan]\nvni_ranges = 1000:2000,\n    3000:4000\n[ovs]\nbridge_mappings = a:b\n";

const OWN: &str = "[server]\nlisten = '127.0.0.1:9696'\nmax_connections = 100\n\
    database = 'sqlite:x'\n[identity]\nmode = 'basic'\nadmins = ['a']\n[identity.roles]\n\
    a = ['admin']\n[network]\nvni_range = [1, 100]\n[quotas]\nport = 5\n[agent]\n\
    [agent.bridge_mappings]\nexternal = 'eth0'\n[log]\nformat = 'json'\n";

/// Far beyond what one takes on a busy machine.
const BOUND: Duration = Duration::from_secs(10);

/// The text with some of its bytes replaced, doubled or left out.
fn damaged(text: &str, changes: Vec<(Index, u8, Vec<u8>)>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, removed, put) in changes {
        let at = at.index(bytes.len() + 1);
        let end = (at + usize::from(removed)).min(bytes.len());
        bytes.splice(at..end, put);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn changes() -> impl Strategy<Value = Vec<(Index, u8, Vec<u8>)>> {
    let special = proptest::sample::select(b"$${}=:[]\n\t ,'\"#.-0".to_vec());
    vec((any::<Index>(), 0..6_u8, vec(prop_oneof![special, any::<u8>()], 0..4)), 1..8)
}

fn read_neutron(text: String) {
    let start = Instant::now();
    let _ = translate(&[(Path::new("neutron.conf"), text)]);
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
}

proptest! {
    #[test]
    fn fuzz_neutron_conf(changes in changes(), text in any::<String>()) {
        read_neutron(damaged(NEUTRON, changes));
        read_neutron(text);
    }

    #[test]
    fn fuzz_own_configuration(changes in changes()) {
        let _ = Config::parsed(&damaged(OWN, changes));
    }
}

#[test]
fn references_that_multiply_are_refused() {
    let level = |n: usize| format!("name{n} = {}\n", format!("$name{}", n + 1).repeat(200));
    let levels: String = (0..7).map(level).collect();
    let start = Instant::now();
    let text = format!("[DEFAULT]\nhost = $name0\n{levels}name7 = {}\n", "x".repeat(200));
    let refused = translate(&[(Path::new("neutron.conf"), text)]).unwrap_err();
    assert!(format!("{refused:#}").contains("too long"), "{refused:#}");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
}
