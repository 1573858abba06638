//! `openstack network meter …` and `network meter rule …`.

use serde_json::json;

use crate::row::{Row, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        shows(
            "network meter create web --description 'what the web costs'",
            json!({"name": "web", "description": "what the web costs", "shared": false}),
        )
        .keep("web", "/id"),
        shows("network meter create all --share", json!({"shared": true})),
        lists("network meter list", "Name", json!(["web", "all"])),
        shows("network meter show web", json!({"id": "{web}"})),
        shows(
            "network meter rule create web --remote-ip-prefix 10.0.0.0/16 --ingress",
            json!({
                "metering_label_id": "{web}", "direction": "ingress", "is_excluded": false,
                "remote_ip_prefix": "10.0.0.0/16"}),
        )
        .keep("rule", "/id"),
        refused(
            "network meter rule create web --remote-ip-prefix 10.0.3.0/24 --exclude",
            "ConflictException: 409",
        ),
        shows(
            "network meter rule create web --source-ip-prefix 10.0.0.0/16 \
             --destination-ip-prefix 192.0.2.0/24 --egress",
            json!({"source_ip_prefix": "10.0.0.0/16", "destination_ip_prefix": "192.0.2.0/24"}),
        ),
        lists("network meter rule list", "Direction", json!(["ingress", "egress"])),
        shows("network meter rule show {rule}", json!({"id": "{rule}"})),
        quiet("network meter rule delete {rule}"),
        quiet("network meter delete web all"),
        lists("network meter rule list", "Direction", json!([])),
        refused("network meter show web", "No MeteringLabel found for web"),
    ]
}
