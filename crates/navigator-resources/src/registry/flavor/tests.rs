//! Flavors' rules, as requests and answers.

use serde_json::json;

use super::*;
use crate::{
    service_provider::PROVIDERS,
    world::{World, admin, refusal, refused},
};

#[test]
fn a_profile_that_a_flavor_has_stays_as_it_is() {
    let mut world = World::default();
    let body = json!({"driver": PROVIDERS[0].driver});
    let profile: ServiceProfile = world.create(&admin(), None, body).unwrap();
    let body = json!({"service_type": "L3_ROUTER_NAT", "service_profiles": [profile.id]});
    let flavor: Flavor = world.create(&admin(), None, body).unwrap();
    let used = refused(409, "ServiceProfileInUse");
    let off = json!({"enabled": false});
    assert_eq!(refusal(world.update::<ServiceProfile>(&admin(), profile.id, off.clone())), used);
    assert_eq!(refusal(world.delete::<ServiceProfile>(&admin(), profile.id)), used);
    world.update::<Flavor>(&admin(), flavor.id, json!({"service_profiles": []})).unwrap();
    world.update::<ServiceProfile>(&admin(), profile.id, off).unwrap();
}

#[test]
fn a_flavor_names_profiles_that_exist_each_once() {
    let mut world = World::default();
    let body = json!({"metainfo": "x"});
    let profile: ServiceProfile = world.create(&admin(), None, body).unwrap();
    let with = |ids: serde_json::Value| json!({"service_type": "QOS", "service_profiles": ids});
    let flavor: Flavor =
        world.create(&admin(), None, with(json!([profile.id, profile.id]))).unwrap();
    assert_eq!(flavor.service_profiles, [profile.id]);
    let unknown = json!([flavor.id]);
    let missing = refused(404, "ServiceProfileNotFound");
    assert_eq!(refusal(world.create::<Flavor>(&admin(), None, with(unknown.clone()))), missing);
    let update = json!({"service_profiles": unknown});
    assert_eq!(refusal(world.update::<Flavor>(&admin(), flavor.id, update)), missing);
    // It has no driver that would provide anything.
    let next = world.decide(&admin(), |facts, _| {
        flavor.next_provider(facts).map(|found| (found.0.name, Writes::new()))
    });
    assert_eq!(refusal(next), refused(404, "ServiceProfileDriverNotFound"));
}

#[test]
fn a_router_is_of_its_flavors_kind() {
    let mut world = World::default();
    for provider in PROVIDERS {
        let body = json!({"driver": provider.driver});
        let profile: ServiceProfile = world.create(&admin(), None, body).unwrap();
        let body = json!({"service_type": "L3_ROUTER_NAT", "service_profiles": [profile.id]});
        let flavor: Flavor = world.create(&admin(), None, body).unwrap();
        let RouterKind { distributed, ha } = provider.kind;
        for said in [json!({}), json!({"distributed": distributed}), json!({"ha": ha})] {
            let mut body = said;
            body["flavor_id"] = json!(flavor.id);
            let router: Router = world.create(&admin(), None, body).unwrap();
            assert_eq!((router.distributed, router.ha), (distributed, ha), "{}", provider.name);
            let update = json!({"admin_state_up": false, "ha": !ha});
            let outcome = world.update::<Router>(&admin(), router.id, update);
            assert_eq!(refusal(outcome), refused(400, "BadRequest"), "{}", provider.name);
        }
        for said in [json!({"distributed": !distributed}), json!({"ha": !ha})] {
            let mut body = said;
            body["flavor_id"] = json!(flavor.id);
            let outcome = world.create::<Router>(&admin(), None, body);
            assert_eq!(refusal(outcome), refused(400, "InvalidInput"), "{}", provider.name);
        }
    }
}
