//! Server and agent as processes on hosts of their own, with a cable between them.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use navigator_lab::{Api, Bridge, Host, LabError, Wire};

use crate::{
    Navigator, Site,
    cloud::{EXTERNAL_DEVICE, PHYSICAL_NETWORK},
    site::with_sources,
};

/// Where the API is, for everybody on the cable.
pub const API: SocketAddr = SocketAddr::new(IpAddr::V4(SERVER), 9696);

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const NODE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);
const DEVICE: &str = "mgmt";

/// Of user `admin` with password `secret`.
const HTPASSWD: &str = "admin:$2y$04$IcfFMDfh99lBBAYCerray.BSlh8hkRgFbN0acebiQgo4UdqBBs9Ja\n";
const AUTHORIZATION: &str = "Basic YWRtaW46c2VjcmV0";

/// The server's host, cabled to `node`.
pub fn control(site: &Site, node: &Host) -> Host {
    let control = site.host("control");
    Bridge::make(&control, DEVICE).expect("a switch");
    control.add_address(DEVICE, &format!("{SERVER}/24")).expect("the server's address");
    connect(&control, node);
    control
}

/// Cables another node to the server, in place of one that is gone.
pub fn connect(control: &Host, node: &Host) {
    let port = format!("to-{}", node.name());
    let cable = || -> Result<(), LabError> {
        Wire::lay(control.end(&port), node.end(DEVICE))?;
        control.run(&["ip", "link", "set", &port, "master", DEVICE])?;
        node.add_address(DEVICE, &format!("{NODE}/24"))
    };
    cable().unwrap_or_else(|error| panic!("{}", with_sources(&error)));
}

pub fn server(control: &Host) -> Navigator<'_> {
    let dir = control.dir().display();
    let htpasswd = control.dir().join("htpasswd");
    fs::write(&htpasswd, HTPASSWD).expect("write htpasswd");
    let config = format!(
        "[server]\nlisten = '{API}'\ndatabase = 'sqlite:{dir}/navigator.sqlite'\n         agent_secret = 'of the test'\n\n         [identity]\nmode = 'basic'\nhtpasswd = '{}'\nadmins = ['admin']\n\n         [network]\nphysical_networks = ['{PHYSICAL_NETWORK}']\n",
        htpasswd.display()
    );
    Navigator::start(control, "server", &config, API)
}

/// What an agent named `node` on any host needs to know.
pub fn agent_config(state_dir: &Path) -> String {
    format!(
        "[server]\nurl = 'http://{API}'\nagent_secret = 'of the test'\n\n         [agent]\nhost = 'node'\nstate_dir = '{}'\n\n         [agent.bridge_mappings]\n{PHYSICAL_NETWORK} = '{EXTERNAL_DEVICE}'\n",
        state_dir.display()
    )
}

/// An agent that is ready when the server answers its host.
pub fn agent<'a>(node: &'a Host, state_dir: &Path) -> Navigator<'a> {
    Navigator::start(node, "agent", &agent_config(state_dir), API)
}

/// The administrator, on the server's host.
pub fn api(control: &Host) -> Api {
    Api::new(control, API).with_header("authorization", AUTHORIZATION)
}

/// Lets nothing through between the node and the server any more.
pub fn cut(node: &Host) {
    let script = format!(
        "table inet cut {{
            chain input {{ type filter hook input priority 0; iifname \"{DEVICE}\" drop; }}
            chain output {{ type filter hook output priority 0; oifname \"{DEVICE}\" drop; }}
        }}"
    );
    let file = node.dir().join("cut.nft");
    fs::write(&file, script).expect("write the rules");
    node.run(&["nft", "-f", &file.to_string_lossy()]).expect("cut");
}

pub fn mend(node: &Host) {
    node.run(&["nft", "delete", "table", "inet", "cut"]).expect("mend");
}
