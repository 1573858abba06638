//! Which DHCP options a user may set.

use serde_json::json;

use super::*;
use crate::AttributeValue;

fn request(name: &str, value: &str, version: u8) -> DhcpOptionRequest {
    DhcpOptionRequest {
        opt_name: name.to_owned(),
        opt_value: Some(value.to_owned()),
        ip_version: version,
    }
}

#[test]
fn known_options_with_values_of_their_kind_are_accepted() {
    for (name, value, version) in [
        ("tftp-server", "198.51.100.5", 4),
        ("66", "boot.example.org", 4),
        ("bootfile-name", "pxelinux.0", 4),
        ("67", "http://198.51.100.5:8080/boot.ipxe?mac=aa&x=1", 4),
        ("server-ip-address", "198.51.100.5", 4),
        ("server-ip-address", "2001:db8::5", 4),
        ("dns-server", "198.51.100.5,198.51.100.6", 4),
        ("mtu", "1400", 4),
        ("router", "", 4),
        ("classless-static-route", "10.0.0.0/8,198.51.100.1,0.0.0.0/0,198.51.100.2", 4),
        ("domain-search", "example.org,a.example.org", 4),
        ("dns-server", "[2001:db8::1],2001:db8::2", 6),
        ("bootfile-url", "tftp://[2001:db8::1]/boot", 6),
    ] {
        assert!(request(name, value, version).check().is_ok(), "{name}={value}");
    }
}

#[test]
fn nothing_else_reaches_the_dhcp_server() {
    for (name, value, version) in [
        ("bootfile-name", "a\ndhcp-script=/bin/sh", 4),
        ("bootfile-name", "a\rb", 4),
        ("bootfile-name", "a\0b", 4),
        ("bootfile-name", "a,b", 4),
        ("bootfile-name", "a b", 4),
        ("bootfile-name", "a#b", 4),
        ("bootfile-name", "a\"b", 4),
        ("bootfile-name", "a\u{2028}b", 4),
        ("bootfile-name", "$(id)`", 4),
        ("bootfile-name", "", 4),
        ("bootfile-name\n", "a", 4),
        ("script", "/bin/sh", 4),
        ("tag:x,bootfile-name", "a", 4),
        ("43", "0102", 4),
        ("mtu", "70000", 4),
        ("mtu", "+5", 4),
        ("mtu", "", 4),
        ("dns-server", "2001:db8::1", 4),
        ("server-ip-address", "2001:db8::5%eth0", 4),
        ("server-ip-address", "2001:db8::5,2001:db8::6", 4),
        ("dns-server", "198.51.100.5", 6),
        ("dns-server", "", 4),
        ("classless-static-route", "10.0.0.0/8", 4),
        ("domain-name", "-a.example", 4),
        ("domain-name", "exa mple", 4),
        ("tftp-server", "198.51.100.5", 6),
    ] {
        let refusal = request(name, value, version).check().unwrap_err();
        assert_eq!(refusal.type_name(), "InvalidExtraDhcpOpt", "{name}={value}");
        assert_eq!(refusal.status(), 400);
    }
    let long = "a".repeat(256);
    assert!(request("bootfile-name", &long, 4).check().is_err());
}

#[test]
fn the_version_is_four_unless_said_and_may_be_quoted() {
    let read = |value| Vec::<DhcpOptionRequest>::from_json(&value);
    let one = |value| read(json!([value])).unwrap()[0].ip_version;
    assert_eq!(one(json!({"opt_name": "mtu", "opt_value": "1"})), 4);
    assert_eq!(one(json!({"opt_name": "mtu", "opt_value": "1", "ip_version": "6"})), 6);
    assert!(read(json!([{"opt_name": "mtu", "opt_value": "1", "ip_version": 5}])).is_err());
    assert!(read(json!([{"opt_name": "mtu", "opt_value": "1", "other": 5}])).is_err());
    assert_eq!(read(json!(null)).unwrap(), []);
}
