//! `openstack network l3 conntrack helper …`.

use serde_json::json;

use crate::row::{Row, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        shows("router create edge", json!({"name": "edge"})),
        shows(
            "network l3 conntrack helper create edge --helper ftp --protocol tcp --port 21",
            json!({"helper": "ftp", "protocol": "tcp", "port": 21}),
        )
        .keep("ftp", "/id"),
        refused(
            "network l3 conntrack helper create edge --helper ftp --protocol tcp --port 21",
            "BadRequestException: 400",
        ),
        refused(
            "network l3 conntrack helper create edge --helper ftp --protocol udp --port 21",
            "BadRequestException: 400",
        ),
        lists("network l3 conntrack helper list edge", "ID", json!(["{ftp}"])),
        lists("network l3 conntrack helper list edge --protocol udp", "ID", json!([])),
        quiet("network l3 conntrack helper set edge {ftp} --port 2121"),
        shows("network l3 conntrack helper show edge {ftp}", json!({"port": 2121})),
        quiet("network l3 conntrack helper delete edge {ftp}"),
        lists("network l3 conntrack helper list edge", "ID", json!([])),
        quiet("router delete edge"),
    ]
}
