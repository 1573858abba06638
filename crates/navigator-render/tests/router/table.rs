//! The rules as text: nft must list exactly what it was given.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use navigator_model::snapshot::Router;
use navigator_render::router::table;

use crate::sample::*;

/// Loads the text in a network namespace that ends with the process, and lists it.
fn listed(text: &str) -> String {
    let script = "nft -f - && nft --stateless --terse list table ip navigator";
    let mut child = Command::new("unshare")
        .args(["--net", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn nft_lists_the_rules_exactly_as_they_were_written() {
    let mut without_snat = router();
    without_snat.gateway.as_mut().unwrap().enable_snat = false;
    let without_gateway = Router { gateway: None, ..router() };
    for router in [router(), without_snat, without_gateway] {
        let text = table::render(&router).to_string();
        assert_eq!(listed(&text), text);
    }
}

#[test]
fn forwards_change_no_rule() {
    let skeleton = |snapshot| namespace(&snapshot).nft.unwrap().skeleton;
    let none = skeleton(with_forwards([]));
    let restricted = allowing(&["192.0.2.0/24"], forward("8000:8010", "80"));
    assert_eq!(skeleton(with_forwards([restricted])), none);
}

#[test]
fn the_rules_read_like_this() {
    let chains = "\
\tchain filter {
\t\ttype filter hook prerouting priority mangle; policy accept;
\t\tct direction original meta l4proto . ip daddr . th dport @restricted meta l4proto . ip daddr . th dport . ip saddr != @allowed drop
\t\tct state new meta l4proto . ip daddr . th dport @masqueraded ct mark set ct mark | 0x00000001
\t}

\tchain output_filter {
\t\ttype filter hook output priority mangle; policy accept;
\t\tct state new meta l4proto . ip daddr . th dport @masqueraded ct mark set ct mark | 0x00000001
\t}

\tchain prerouting {
\t\ttype nat hook prerouting priority dstnat; policy accept;
\t\tdnat ip to meta l4proto . ip daddr . th dport map @forwards
\t\tdnat to ip daddr map @floating_to_fixed
\t}

\tchain output {
\t\ttype nat hook output priority -100; policy accept;
\t\tdnat ip to meta l4proto . ip daddr . th dport map @forwards
\t\tdnat to ip daddr map @floating_to_fixed
\t}

\tchain postrouting {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\tct mark & 0x00000001 == 0x00000001 masquerade fully-random
\t\tct status dnat iifname != \"qg-cccccccc-00\" snat to ip saddr map @fixed_to_floating
\t\tct status dnat iifname != \"qg-cccccccc-00\" snat to 198.51.100.7
\t\toifname \"qg-cccccccc-00\" snat to ip saddr map @fixed_to_floating
\t\toifname \"qg-cccccccc-00\" snat to 198.51.100.7 fully-random
\t}
}
";
    let text = table::render(&router()).to_string();
    assert_eq!(&text[text.find("\tchain").unwrap()..], chains);
}
