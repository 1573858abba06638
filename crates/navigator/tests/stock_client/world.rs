//! A host with a running Navigator for one test, and the rows that most tables start with.

use std::{fmt::Write as _, fs, net::SocketAddr};

use navigator_testkit::{Host, Navigator, Site, keystone::Cloud, navigator::all_in_one, stock};
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
        Identity::at(format!("http://{}", address()), user)
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

/// A configuration with a device that leads outside.
fn configuration(host: &Host) -> String {
    host.run(&["ip", "link", "add", "ext0", "up", "type", "veth", "peer", "name", "far0"]).unwrap();
    all_in_one(host, address(), None, &[("external", "ext0")])
}

/// Server and agent on a host.
pub(crate) fn start(host: &Host, door: Door) -> Navigator<'_> {
    let config = configuration(host) + &door.configuration(host);
    Navigator::start(host, "all-in-one", &config, address())
}

/// Runs tables one after another in a world of their own.
pub(crate) fn play(door: Door, tables: Vec<Row>) {
    let site = Site::new();
    let host = site.host("node");
    let _navigator = start(&host, door);
    run_all(&host, &door.identity("admin"), tables);
}

/// The same, beside a Keystone whose administrator asks.
pub(crate) fn play_beside_keystone(tables: Vec<Row>) {
    let site = Site::new();
    let host = site.host("node");
    let keystone = Cloud::inside(&host);
    let config = configuration(&host);
    let _navigator = stock::all_in_one(&host, &config, &keystone, address());
    let identity = Identity(stock::environment(&keystone, &keystone.administrator()).into());
    run_all(&host, &identity, tables);
}

fn run_all(host: &Host, identity: &Identity, tables: Vec<Row>) {
    let mut client = Client::start(host, identity);
    row::run(&mut client, vec![agents_are_there()]);
    row::run(&mut client, tables);
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
            "subnet create inside --network inside --subnet-range 10.0.0.0/24 \
             --allocation-pool start=10.0.0.100,end=10.0.0.199",
            json!({"gateway_ip": "10.0.0.1"}),
        )
        .keep("inside_subnet", "/id"),
    ]
}
