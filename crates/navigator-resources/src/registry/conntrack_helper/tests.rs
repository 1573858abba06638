//! Conntrack helpers' rules, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::world::{Site, TENANT, member, refusal, refused};

fn create(site: &mut Site, protocol: &str, port: u16, helper: &str) -> Result<ConntrackHelper, Refusal> {
    let body = json!({ "protocol": protocol, "port": port, "helper": helper });
    let router = site.router.to_string();
    site.world.create(&member(TENANT), Some(router), body)
}

fn update(site: &mut Site, id: ConntrackHelperId, body: Value) -> Result<ConntrackHelper, Refusal> {
    site.world.update(&member(TENANT), id, body)
}

#[test]
fn only_the_kernels_helpers_run_and_over_what_they_know() {
    let mut site = Site::new();
    for (protocol, helper, name) in [
        ("tcp", "rm-rf", "ConntrackHelperNotAllowed"),
        ("tcp", "FTP", "ConntrackHelperNotAllowed"),
        ("udp", "ftp", "InvalidProtocolForHelper"),
        ("sctp", "sip", "InvalidProtocolForHelper"),
    ] {
        let outcome = create(&mut site, protocol, 21, helper);
        assert_eq!(refusal(outcome), refused(400, name), "{protocol} {helper}");
    }
    for (helper, protocols) in HELPERS {
        for protocol in *protocols {
            create(&mut site, protocol.word(), 4000, helper).unwrap();
        }
    }
}

#[test]
fn a_router_has_a_helper_once_per_port() {
    let mut site = Site::new();
    let ftp = create(&mut site, "tcp", 21, "ftp").unwrap();
    assert_eq!(ftp.project_id, TENANT.into());
    assert_eq!(refusal(create(&mut site, "tcp", 21, "ftp")), refused(400, "BadRequest"));
    let other = create(&mut site, "tcp", 2121, "ftp").unwrap();
    let same = json!({"port": 21});
    assert_eq!(refusal(update(&mut site, other.id, same)), refused(400, "BadRequest"));
    let moved = update(&mut site, other.id, json!({"port": 2122})).unwrap();
    assert_eq!(moved.port.get(), 2122);
    update(&mut site, other.id, json!({"port": 2122})).unwrap();
    assert_eq!(site.world.written, 0, "nothing changed");
    assert!(!moved.to_json().contains_key("project_id"));
}
