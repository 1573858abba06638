//! Who gets which ids, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::{
    Network,
    world::{World, admin, member, refusal, refused},
};

fn range(world: &mut World, first: u32, last: u32, owner: Option<&str>) {
    let mut body = json!({"network_type": "vxlan", "minimum": first, "maximum": last,
        "shared": owner.is_none()});
    if let Some(owner) = owner {
        body["project_id"] = owner.into();
    }
    world.create::<NetworkSegmentRange>(&admin(), None, body).unwrap();
}

fn id(world: &mut World, project: &str) -> Result<u32, Refusal> {
    let made = world.create::<Network>(&member(project), None, json!({}))?;
    Ok(made.segmentation_id.unwrap_or_default())
}

#[test]
fn a_project_gets_its_own_ids_first_and_nobody_else_gets_them() {
    let mut world = World::default();
    world.settings.tunnel_id_range = 1..=3;
    range(&mut world, 2, 2, Some("p"));
    range(&mut world, 9, 9, Some("p"));
    assert_eq!([(); 2].map(|()| id(&mut world, "q")), [Ok(1), Ok(3)]);
    let none = refused(503, "NoNetworkAvailable");
    assert_eq!(refusal(id(&mut world, "q")), none);
    assert_eq!([(); 2].map(|()| id(&mut world, "p")), [Ok(2), Ok(9)]);
    assert_eq!(refusal(id(&mut world, "p")), none);
    // An administrator who names an id may have any.
    let body = json!({"provider:network_type": "vxlan", "provider:segmentation_id": 77});
    world.create::<Network>(&admin(), None, body).unwrap();
}

#[test]
fn shared_ranges_take_the_place_of_the_configured_one() {
    let mut world = World::default();
    range(&mut world, 50, 51, None);
    assert_eq!([(); 2].map(|()| id(&mut world, "p")), [Ok(50), Ok(51)]);
    assert_eq!(refusal(id(&mut world, "p")), refused(503, "NoNetworkAvailable"));
}

#[test]
fn a_physical_network_without_a_name_is_none() {
    let mut world = World::default();
    let range = |physical: &str| {
        json!({"network_type": "vxlan", "minimum": 5, "maximum": 6, "physical_network": physical})
    };
    let made = world.create::<NetworkSegmentRange>(&admin(), None, range("")).unwrap();
    assert_eq!(made.physical_network, None);
    let other = world.create::<NetworkSegmentRange>(&admin(), None, range("external"));
    assert_eq!(refusal(other), refused(400, "InvalidInput"));
}

#[test]
fn a_range_of_everybodys_has_no_owner() {
    let mut world = World::default();
    range(&mut world, 50, 51, None);
    let shown = world.all::<NetworkSegmentRange>(Select::all())[0].to_json();
    assert_eq!((&shown["project_id"], &shown["default"]), (&Value::Null, &json!(false)));
    assert_eq!(shown["available"], json!([50, 51]));
}

#[test]
fn a_range_may_be_of_a_physical_network_that_no_network_can_be_on_yet() {
    let mut world = World::default();
    let body = json!({"network_type": "vlan", "physical_network": "new", "minimum": 100,
        "maximum": 200, "shared": false});
    world.create::<NetworkSegmentRange>(&admin(), None, body).unwrap();
    let body = json!({"provider:network_type": "vlan", "provider:physical_network": "new"});
    let network = world.create::<Network>(&admin(), None, body);
    assert_eq!(refusal(network).0, 400);
}
