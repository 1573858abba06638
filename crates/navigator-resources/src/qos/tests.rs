//! Values of rules, and what a port asks of its host for them.

use serde_json::json;

use super::*;
use crate::{AttributeValue, Rules, SqlValue};

#[test]
fn an_amount_fits_into_31_bits() {
    for (value, read) in [
        (json!(0), Ok(0)),
        (json!("2147483647"), Ok(2_147_483_647)),
        (json!(-1), Err("'-1' is too small - must be at least '0'")),
        (
            json!(2_147_483_648_i64),
            Err("'2147483648' is too large - must be no larger than '2147483647'"),
        ),
        (json!("many"), Err("'many' is not an integer")),
    ] {
        let read: Result<i64, String> = read.map_err(str::to_owned);
        assert_eq!(Amount::from_json(&value).map(|amount| amount.0), read, "{value}");
    }
}

#[test]
fn only_code_points_that_routers_agree_on_are_marks() {
    for mark in [0, 8, 26, 46, 56] {
        assert_eq!(DscpMark::from_json(&json!(mark)), Ok(DscpMark(mark)));
    }
    for mark in [1, 42, 50, 57, -8] {
        assert!(DscpMark::from_json(&json!(mark)).is_err(), "{mark}");
    }
}

#[test]
fn every_kind_describes_each_of_its_parameters_and_names_itself_alike() {
    struct Check(Vec<&'static str>);
    impl KindVisitor for Check {
        fn visit<R: QosRule>(&mut self) {
            let declaration = <R as crate::Resource>::declaration();
            assert_eq!(declaration.name, format!("{}_rule", R::KIND));
            assert_eq!(declaration.collection, format!("{}_rules", R::KIND));
            assert_eq!(declaration.url("p"), format!("/v2.0/qos/policies/p/{}_rules", R::KIND));
            let said = declaration.attributes.iter().filter(|attribute| attribute.update);
            let said: Vec<_> = said.map(|attribute| json!(attribute.name)).collect();
            let described: Vec<_> =
                R::parameters().iter().map(|p| p["parameter_name"].clone()).collect();
            assert_eq!(said, described);
            let _ = <R as Rules>::actions();
            self.0.push(R::KIND);
        }
    }
    let mut check = Check(Vec::new());
    visit_kinds(&mut check);
    check.0.dedup();
    assert_eq!(check.0.len(), 5);
}

#[test]
fn what_is_guaranteed_is_asked_of_the_host_in_groups() {
    let port = "5b1f1aa5-7a6c-4a84-9f8e-3f8a8f3f9a11";
    let text = format!("{port} normal;kbps egress 1000,kbps ingress 500,kpps any 7;phys-net 1");
    let request = ResourceRequest::from_sql(&SqlValue::from(text.as_str())).unwrap().to_json();
    let groups = request["request_groups"].as_array().unwrap();
    assert_eq!(
        groups[0]["required"],
        json!(["CUSTOM_PHYSNET_PHYS_NET_1", "CUSTOM_VNIC_TYPE_NORMAL"])
    );
    assert_eq!(
        groups[0]["resources"],
        json!({"NET_BW_EGR_KILOBIT_PER_SEC": 1000, "NET_BW_IGR_KILOBIT_PER_SEC": 500})
    );
    assert_eq!(groups[1]["resources"], json!({"NET_PACKET_RATE_KILOPACKET_PER_SEC": 7}));
    assert_eq!(request["same_subtree"], json!([groups[0]["id"], groups[1]["id"]]));
    assert_ne!(groups[0]["id"], groups[1]["id"]);

    let tunnel = format!("{port} direct-physical;kbps egress 1;");
    let request = ResourceRequest::from_sql(&SqlValue::from(tunnel.as_str())).unwrap().to_json();
    assert_eq!(
        request["request_groups"][0]["required"],
        json!(["CUSTOM_NETWORK_TUNNEL_PROVIDER", "CUSTOM_VNIC_TYPE_DIRECT_PHYSICAL"])
    );
    assert_eq!(ResourceRequest::from_sql(&SqlValue::Null).unwrap().to_json(), json!(null));
}
