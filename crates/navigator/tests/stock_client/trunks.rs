//! `openstack network trunk …` and `openstack network subport …`.

use serde_json::json;

use crate::row::{Row, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        shows("port create parent --network inside", json!({"trunk_details": null}))
            .keep("parent", "/id"),
        shows("port create one --network inside", json!({"name": "one"})).keep("one", "/id"),
        shows("port create two --network inside", json!({"name": "two"})).keep("two", "/id"),
        shows(
            "network trunk create wire --parent-port parent --description d \
             --subport port=one,segmentation-type=vlan,segmentation-id=10",
            json!({"name": "wire", "port_id": "{parent}", "is_admin_state_up": true,
                "status": "DOWN", "sub_ports": [
                    {"port_id": "{one}", "segmentation_type": "vlan", "segmentation_id": 10}]}),
        )
        .keep("wire", "/id"),
        refused(
            "network trunk create again --parent-port one",
            "Port {one} is currently a subport for trunk {wire}.",
        ),
        quiet("network trunk subport add wire two --segmentation-type vlan --segmentation-id 20"),
        lists("network trunk subport list wire", "Port", json!(["{one}", "{two}"])),
        lists("network subport list --trunk wire", "Segmentation ID", json!([10, 20])),
        shows("port show parent", json!({"trunk_details": {"trunk_id": "{wire}"}})),
        lists("network trunk list --long", "Status", json!(["DOWN"])),
        refused("port delete one", "1 of 1 ports failed to delete."),
        quiet("network trunk subport remove wire one"),
        quiet("network trunk unset wire --subport two"),
        quiet("network trunk set wire --disable --name cable"),
        shows("network trunk show cable", json!({"is_admin_state_up": false, "sub_ports": []})),
        refused("network trunk delete cable", "1 of 1 trunks failed to delete."),
        quiet("network trunk set cable --enable"),
        quiet("network trunk delete cable"),
        quiet("port delete parent one two"),
    ]
}
