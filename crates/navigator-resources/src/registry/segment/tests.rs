//! Segments' rules, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::world::{World, admin, refusal, refused};

fn network(world: &mut World, body: Value) -> Result<Network, Refusal> {
    world.create(&admin(), None, body)
}

fn vlan(tag: u32) -> Value {
    json!({"provider:network_type": "vlan", "provider:physical_network": "external",
        "provider:segmentation_id": tag})
}

fn segments(world: &World, network: &Network) -> Vec<Segment> {
    world.all(Select::eq("network_id", network.id.to_string()))
}

fn subnet(world: &mut World, network: &Network, cidr: &str, segment: Value) -> Result<Subnet, Refusal> {
    let body = json!({"network_id": network.id, "ip_version": 4, "cidr": cidr,
        "segment_id": segment, "enable_dhcp": false});
    world.create(&admin(), None, body)
}

#[test]
fn every_network_has_a_segment_that_goes_with_it() {
    let mut world = World::default();
    let one = network(&mut world, json!({})).unwrap();
    let [segment] = &segments(&world, &one)[..] else { panic!("one segment") };
    assert!(segment.is_first_of(&one));
    let alone = world.delete::<Segment>(&admin(), segment.id);
    assert_eq!(refusal(alone), refused(409, "SegmentInUse"));
    world.delete::<Network>(&admin(), one.id).unwrap();
    assert!(world.all::<Segment>(Select::all()).is_empty());
}

#[test]
fn a_network_of_several_segments_names_each_fully() {
    let mut world = World::default();
    let made = network(&mut world, json!({"segments": [vlan(7), vlan(8)]})).unwrap();
    assert_eq!((made.network_type, made.segmentation_id), (NetworkType::Vlan, Some(7)));
    assert_eq!(segments(&world, &made).len(), 2);
    let both = json!({"segments": [vlan(9)], "provider:network_type": "local"});
    let invalid = refused(400, "InvalidInput");
    for (body, outcome) in [
        (both, refused(400, "SegmentsSetInConjunctionWithProviders")),
        (json!({"segments": [vlan(9), vlan(9)]}), refused(400, "SegmentsContainDuplicateEntry")),
        (json!({"segments": [vlan(7)]}), refused(409, "VlanIdInUse")),
        (json!({"segments": [{"provider:physical_network": "external"}]}), invalid.clone()),
        (json!({"segments": [{"provider:network_type": "stt"}]}), invalid),
        (json!({"segments": [{"colour": "red"}]}), refused(400, "HTTPBadRequest")),
    ] {
        assert_eq!(refusal(network(&mut world, body)), outcome);
    }
}

#[test]
fn a_network_goes_on_with_the_segments_that_are_left() {
    let mut world = World::default();
    let made = network(&mut world, json!({"segments": [vlan(7)]})).unwrap();
    let first = segments(&world, &made)[0].clone();
    let body = json!({"network_id": made.id, "network_type": "vlan",
        "physical_network": "public", "segmentation_id": 9, "name": "second"});
    let second: Segment = world.create(&admin(), None, body).unwrap();
    world.delete::<Segment>(&admin(), first.id).unwrap();
    let left: Network = world.get(made.id);
    assert!(second.is_first_of(&left));
    assert!(!world.touched.is_empty(), "agents hear of it");
    // Its VLAN is free again.
    network(&mut world, json!({"segments": [vlan(7)]})).unwrap();
}

#[test]
fn all_subnets_of_a_network_are_on_segments_or_none_is() {
    let mut world = World::default();
    let made = network(&mut world, json!({"segments": [vlan(7), vlan(8)]})).unwrap();
    let other = network(&mut world, json!({})).unwrap();
    let [a, b] = &segments(&world, &made)[..] else { panic!("two segments") };
    let foreign = segments(&world, &other)[0].id;
    let wrong = subnet(&mut world, &made, "10.0.0.0/24", json!(foreign));
    assert_eq!(refusal(wrong), refused(400, "NetworkIdsDontMatch"));
    let unknown = subnet(&mut world, &made, "10.0.0.0/24", json!(made.id));
    assert_eq!(refusal(unknown), refused(404, "SegmentNotFound"));
    let on_a = subnet(&mut world, &made, "10.0.0.0/24", json!(a.id)).unwrap();
    let on_none = subnet(&mut world, &made, "10.0.1.0/24", Value::Null);
    assert_eq!(refusal(on_none), refused(400, "SubnetsNotAllAssociatedWithSegments"));
    subnet(&mut world, &made, "10.0.1.0/24", json!(b.id)).unwrap();
    let moved = world.update::<Subnet>(&admin(), on_a.id, json!({"segment_id": b.id}));
    assert_eq!(refusal(moved), refused(400, "SubnetSegmentAssociationChangeNotAllowed"));
    let used = world.delete::<Segment>(&admin(), a.id);
    assert_eq!(refusal(used), refused(409, "SegmentInUse"));

    let plain = subnet(&mut world, &other, "10.0.0.0/24", Value::Null).unwrap();
    let body = json!({"segment_id": foreign});
    world.update::<Subnet>(&admin(), plain.id, body).unwrap();
}
