//! A host with a running Navigator for one test, and the rows that most tables start with.

use std::{fmt::Write as _, fs, net::SocketAddr};

use navigator_testkit::{Host, Navigator, navigator::all_in_one};
use serde_json::json;

use crate::{
    client::{Client, Identity},
    row::{self, Row, becomes, shows},
};

fn address() -> SocketAddr {
    ([127, 0, 0, 1], 9696).into()
}

/// How the server learns who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    /// Everybody is the administrator.
    Open,
    /// HTTP basic: admin, alice and bob, each with the own name as password.
    Basic,
}

impl Door {
    pub(crate) fn identity(self, user: &'static str) -> Identity {
        let user = match self {
            Self::Open => None,
            Self::Basic => Some(user),
        };
        Identity { endpoint: format!("http://{}", address()), user, password: None }
    }

    fn configuration(self, host: &Host) -> String {
        let Self::Basic = self else { return String::new() };
        let file = host.dir().join("htpasswd");
        let mut lines = String::new();
        for user in ["admin", "alice", "bob"] {
            // The lowest cost: this is not about bcrypt.
            writeln!(lines, "{user}:{}", bcrypt::hash(user, 4).unwrap()).unwrap();
        }
        fs::write(&file, lines).unwrap();
        let file = file.display();
        format!("\n[identity]\nmode = 'basic'\nadmins = ['admin']\nhtpasswd = '{file}'\n")
    }
}

/// Server and agent on a host with a device that leads outside.
pub(crate) fn start(host: &Host, door: Door) -> Navigator<'_> {
    host.run(&["ip", "link", "add", "ext0", "up", "type", "veth", "peer", "name", "far0"]).unwrap();
    let config = all_in_one(host, address(), None, &[("external", "ext0")]);
    let config = config + &door.configuration(host);
    Navigator::start(host, "all-in-one", &config, address())
}

/// Runs tables one after another in a world of their own.
pub(crate) fn play<const N: usize>(door: Door, tables: [Vec<Row>; N]) {
    let site = navigator_testkit::Site::new();
    let host = site.host("node");
    let _navigator = start(&host, door);
    let mut client = Client::start(&host, &door.identity("admin"));
    row::run(&mut client, vec![agents_are_there()]);
    row::run(&mut client, tables.into_iter().flatten().collect());
}

/// Binding and scheduling want to know the host.
pub(crate) fn agents_are_there() -> Row {
    let alive = json!([{"Alive": true}, {"Alive": true}, {"Alive": true}]);
    becomes("network agent list", alive)
}

/// `outside` (203.0.113.0/24), and `inside` (10.0.0.0/24).
pub(crate) fn two_networks() -> Vec<Row> {
    vec![
        shows(
            "network create outside --external --provider-network-type flat \
             --provider-physical-network external",
            json!({"name": "outside", "router:external": true, "provider:network_type": "flat"}),
        )
        .keep("outside", "/id"),
        shows(
            "subnet create outside --network outside --subnet-range 203.0.113.0/24 --no-dhcp \
             --gateway 203.0.113.1 --allocation-pool start=203.0.113.100,end=203.0.113.199",
            json!({"name": "outside", "gateway_ip": "203.0.113.1", "enable_dhcp": false}),
        )
        .keep("outside_subnet", "/id"),
        shows("network create inside", json!({"name": "inside"})).keep("inside", "/id"),
        shows(
            "subnet create inside --network inside --subnet-range 10.0.0.0/24",
            json!({"gateway_ip": "10.0.0.1"}),
        )
        .keep("inside_subnet", "/id"),
    ]
}
