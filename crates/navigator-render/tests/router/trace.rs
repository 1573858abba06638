//! Packets through the rendered rules.

use std::net::Ipv4Addr;

use navigator_model::{
    Protocol, Snapshot,
    snapshot::{ForwardAddress, SourceNat},
};
use navigator_render::router::table;
use navigator_state::trace::{End, Flow, Origin, Packet, Trace, Tracer, Transport};

use crate::sample::*;

/// The answering host, on the outside.
const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);

fn tcp(source: (Ipv4Addr, u16), destination: (Ipv4Addr, u16)) -> Packet {
    Packet::new(Protocol::Tcp, source, destination)
}

fn trace(snapshot: &Snapshot, packet: Packet, device: &str, flow: Option<&Flow>) -> Trace {
    let origin = Origin::Device(device.to_owned());
    trace_from(snapshot, packet, &origin, flow)
}

fn trace_from(snapshot: &Snapshot, packet: Packet, origin: &Origin, flow: Option<&Flow>) -> Trace {
    let table = table::render(snapshot.router().unwrap());
    Tracer::new(&table, &namespace(snapshot)).trace(packet, origin, flow)
}

fn forwarded(device: &str, packet: Packet) -> End {
    End::Forwarded { device: device.to_owned(), packet }
}

/// The reply to what arrived comes back to the sender as if from whom it had asked.
fn assert_reply(snapshot: &Snapshot, there: &Trace, came_back_by: &str, leaves_by: &str) {
    let flow = there.flow.unwrap();
    let back = trace(snapshot, flow.reply, came_back_by, Some(&flow));
    assert_eq!(back.end, forwarded(leaves_by, flow.original.reversed()));
}

#[test]
fn a_client_outside_reaches_the_instance_with_its_own_address() {
    let snapshot = with_forwards([forward("8080", "80")]);
    let there = trace(&snapshot, tcp((CLIENT, 5000), (GATEWAY, 8080)), QG, None);
    assert_eq!(there.end, forwarded(QR_A, tcp((CLIENT, 5000), (WEB, 80))));
    assert_reply(&snapshot, &there, QR_A, QG);
}

#[test]
fn a_later_packet_of_a_connection_goes_the_way_of_the_first() {
    let snapshot = with_forwards([forward("8080", "80")]);
    let packet = tcp((CLIENT, 5000), (GATEWAY, 8080));
    let first = trace(&snapshot, packet, QG, None);
    let without_rule = with_forwards([]);
    let second = trace(&without_rule, packet, QG, first.flow.as_ref());
    assert_eq!(second.end, first.end);
}

#[test]
fn each_port_of_a_range_leads_to_its_own_port() {
    let snapshot = with_forwards([forward("8000:8002", "80:82")]);
    for n in 0..3 {
        let there = trace(&snapshot, tcp((CLIENT, 5000), (GATEWAY, 8000 + n)), QG, None);
        assert_eq!(there.end, forwarded(QR_A, tcp((CLIENT, 5000), (WEB, 80 + n))));
    }
    let beside = trace(&snapshot, tcp((CLIENT, 5000), (GATEWAY, 8003)), QG, None);
    assert_eq!(beside.end, End::Delivered(tcp((CLIENT, 5000), (GATEWAY, 8003))));
}

#[test]
fn a_range_may_lead_to_one_port() {
    let snapshot = with_forwards([forward("8000:8002", "80")]);
    let there = trace(&snapshot, tcp((CLIENT, 5000), (GATEWAY, 8002)), QG, None);
    assert_eq!(there.end, forwarded(QR_A, tcp((CLIENT, 5000), (WEB, 80))));
}

#[test]
fn another_protocol_on_the_same_port_is_not_forwarded() {
    let snapshot = with_forwards([forward("8080", "80")]);
    let packet = Packet::new(Protocol::Udp, (CLIENT, 5000), (GATEWAY, 8080));
    assert_eq!(trace(&snapshot, packet, QG, None).end, End::Delivered(packet));
}

#[test]
fn an_instance_reaches_its_neighbour_and_itself_through_the_gateway_address() {
    let snapshot = with_forwards([forward("8080", "80")]);
    for (source, device) in [(WEB, QR_A), (Ipv4Addr::new(10, 0, 0, 6), QR_A), (OTHER, QR_B)] {
        let there = trace(&snapshot, tcp((source, 5000), (GATEWAY, 8080)), device, None);
        assert_eq!(there.end, forwarded(QR_A, tcp((GATEWAY, 5000), (WEB, 80))));
        assert_reply(&snapshot, &there, QR_A, device);
    }
}

#[test]
fn the_routers_own_processes_reach_forwards_and_floating_ips() {
    let mut snapshot = with_forwards([forward("8080", "80")]);
    add_floating_ip(&mut snapshot, Some(OTHER));
    let local = |packet| trace_from(&snapshot, packet, &Origin::Local, None).end;
    let to_forward = local(tcp((GATEWAY, 5000), (GATEWAY, 8080)));
    assert_eq!(to_forward, forwarded(QR_A, tcp((GATEWAY, 5000), (WEB, 80))));
    let to_floating_ip = local(tcp((FLOATING, 5000), (FLOATING, 22)));
    assert_eq!(to_floating_ip, forwarded(QR_B, tcp((GATEWAY, 5000), (OTHER, 22))));
}

#[test]
fn only_allowed_sources_pass() {
    let cidrs = ["203.0.113.0/28", "192.0.2.0/25", "192.0.2.128/25"];
    let snapshot = with_forwards([allowing(&cidrs, forward("8000:8010", "80:90"))]);
    let end = |source: [u8; 4], port| {
        trace(&snapshot, tcp((source.into(), 5000), (GATEWAY, port)), QG, None).end
    };
    for port in [8000, 8005, 8010] {
        let to = (WEB, port - 7920);
        for source in [[203, 0, 113, 0], [203, 0, 113, 15], [192, 0, 2, 200]] {
            let packet = tcp((source.into(), 5000), to);
            assert_eq!(end(source, port), forwarded(QR_A, packet));
        }
        assert_eq!(end([203, 0, 113, 16], port), End::Dropped);
        assert_eq!(end([10, 0, 0, 5], port), End::Dropped);
    }
}

#[test]
fn a_source_that_is_no_longer_allowed_is_cut_off_in_the_middle() {
    let packet = tcp((CLIENT, 5000), (GATEWAY, 8080));
    let before = with_forwards([forward("8080", "80")]);
    let first = trace(&before, packet, QG, None);
    let after = with_forwards([allowing(&["192.0.2.0/24"], forward("8080", "80"))]);
    assert_eq!(trace(&after, packet, QG, first.flow.as_ref()).end, End::Dropped);
}

#[test]
fn a_reply_to_our_own_connection_may_come_to_a_restricted_port() {
    let snapshot = with_forwards([allowing(&["192.0.2.0/24"], forward("8080", "80"))]);
    let out = trace(&snapshot, tcp((OTHER, 8080), (SERVER, 443)), QR_B, None);
    assert_eq!(out.end, forwarded(QG, tcp((GATEWAY, 8080), (SERVER, 443))));
    assert_reply(&snapshot, &out, QG, QR_B);
}

#[test]
fn any_source_means_no_restriction() {
    let snapshot = with_forwards([allowing(&["0.0.0.0/0"], forward("8080", "80"))]);
    let there = trace(&snapshot, tcp((CLIENT, 5000), (GATEWAY, 8080)), QG, None);
    assert_eq!(there.end, forwarded(QR_A, tcp((CLIENT, 5000), (WEB, 80))));
}

#[test]
fn replies_come_back_here_although_the_instance_uses_another_router() {
    let mut foreign = forward("8080", "80");
    foreign.foreign_gateway = true;
    for (source_nat, seen) in [
        (SourceNat::Auto, Ipv4Addr::new(10, 0, 0, 1)),
        (SourceNat::Always, Ipv4Addr::new(10, 0, 0, 1)),
        (SourceNat::Never, CLIENT),
    ] {
        foreign.source_nat = source_nat;
        let snapshot = with_forwards([foreign.clone()]);
        let there = trace(&snapshot, tcp((CLIENT, 5000), (GATEWAY, 8080)), QG, None);
        assert_eq!(there.end, forwarded(QR_A, tcp((seen, 5000), (WEB, 80))));
        assert_reply(&snapshot, &there, QR_A, QG);
    }
}

#[test]
fn source_nat_always_masquerades_also_with_the_same_gateway() {
    let mut always = forward("8080", "80");
    always.source_nat = SourceNat::Always;
    let snapshot = with_forwards([always]);
    let there = trace(&snapshot, tcp((CLIENT, 5000), (GATEWAY, 8080)), QG, None);
    assert_eq!(there.end, forwarded(QR_A, tcp(("10.0.0.1".parse().unwrap(), 5000), (WEB, 80))));
}

#[test]
fn an_instance_with_a_floating_ip_is_reached_and_goes_out_by_it() {
    let mut snapshot = with_forwards([]);
    add_floating_ip(&mut snapshot, Some(WEB));
    let there = trace(&snapshot, tcp((CLIENT, 5000), (FLOATING, 22)), QG, None);
    assert_eq!(there.end, forwarded(QR_A, tcp((CLIENT, 5000), (WEB, 22))));
    assert_reply(&snapshot, &there, QR_A, QG);
    let out = trace(&snapshot, tcp((WEB, 5000), (SERVER, 443)), QR_A, None);
    assert_eq!(out.end, forwarded(QG, tcp((FLOATING, 5000), (SERVER, 443))));
    assert_reply(&snapshot, &out, QG, QR_A);
    let echo = Packet { source: CLIENT, destination: FLOATING, transport: Transport::Icmp };
    let inside = Packet { destination: WEB, ..echo };
    assert_eq!(trace(&snapshot, echo, QG, None).end, forwarded(QR_A, inside));
}

#[test]
fn neighbours_meet_by_their_floating_ips() {
    let mut snapshot = with_forwards([]);
    add_floating_ip(&mut snapshot, Some(WEB));
    let there = trace(&snapshot, tcp((OTHER, 5000), (FLOATING, 22)), QR_B, None);
    assert_eq!(there.end, forwarded(QR_A, tcp((GATEWAY, 5000), (WEB, 22))));
    assert_reply(&snapshot, &there, QR_A, QR_B);
    let itself = trace(&snapshot, tcp((WEB, 5000), (FLOATING, 22)), QR_A, None);
    assert_eq!(itself.end, forwarded(QR_A, tcp((FLOATING, 5000), (WEB, 22))));
}

#[test]
fn a_forward_of_a_floating_ip_leads_inside_and_its_other_ports_nowhere() {
    let mut of_floating_ip = forward("2222", "22");
    of_floating_ip.external = ForwardAddress::FloatingIp(FLOATING);
    let mut snapshot = with_forwards([of_floating_ip]);
    add_floating_ip(&mut snapshot, None);
    let there = trace(&snapshot, tcp((CLIENT, 5000), (FLOATING, 2222)), QG, None);
    assert_eq!(there.end, forwarded(QR_A, tcp((CLIENT, 5000), (WEB, 22))));
    let other = tcp((CLIENT, 5000), (FLOATING, 22));
    assert_eq!(trace(&snapshot, other, QG, None).end, End::Delivered(other));
    let out = trace(&snapshot, tcp((WEB, 5000), (SERVER, 443)), QR_A, None);
    assert_eq!(out.end, forwarded(QG, tcp((GATEWAY, 5000), (SERVER, 443))));
}

#[test]
fn instances_go_out_by_the_gateway_address_unless_snat_is_off() {
    let mut snapshot = with_forwards([forward("8080", "80")]);
    let out = trace(&snapshot, tcp((WEB, 5000), (SERVER, 443)), QR_A, None);
    assert_eq!(out.end, forwarded(QG, tcp((GATEWAY, 5000), (SERVER, 443))));
    assert!(out.rules.last().unwrap().1.ends_with("fully-random"));

    let mut without = router();
    without.gateway.as_mut().unwrap().enable_snat = false;
    let key = navigator_model::ObjectKey::Router(ROUTER);
    snapshot.objects.insert(key, navigator_model::Object::Router(without));
    let out = trace(&snapshot, tcp((WEB, 5000), (SERVER, 443)), QR_A, None);
    assert_eq!(out.end, forwarded(QG, tcp((WEB, 5000), (SERVER, 443))));
    let there = trace(&snapshot, tcp((CLIENT, 5000), (GATEWAY, 8080)), QG, None);
    assert_reply(&snapshot, &there, QR_A, QG);
}

#[test]
fn subnets_of_a_router_talk_to_each_other_untranslated() {
    let snapshot = with_forwards([]);
    let packet = tcp((WEB, 5000), (OTHER, 80));
    assert_eq!(trace(&snapshot, packet, QR_A, None).end, forwarded(QR_B, packet));
}

#[test]
fn a_router_without_gateway_still_routes() {
    let mut alone = router();
    alone.gateway = None;
    let snapshot = snapshot(alone);
    let packet = tcp((WEB, 5000), (OTHER, 80));
    assert_eq!(trace(&snapshot, packet, QR_A, None).end, forwarded(QR_B, packet));
    let outward = tcp((WEB, 5000), (SERVER, 80));
    assert_eq!(trace(&snapshot, outward, QR_A, None).end, End::NoRoute(outward));
}
