//! `openstack quota …`. The client asks Keystone for the project.

use serde_json::json;

use crate::row::{Row, has, quiet, shows};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        shows("project create small", json!({"name": "small"})),
        has("quota show --network small", "Resource", json!(["networks", "ports", "routers"])),
        quiet("quota set small --networks 3 --ports 7 --secgroup-rules 20 --router-routes 5"),
        has("quota show --network small", "Limit", json!([3, 7, 20, 10, 5])),
        has("quota show --network --default small", "Limit", json!([10, 100])),
        has("quota list --network", "Networks", json!([3])),
        quiet("quota delete --network small"),
        has("quota show --network small", "Limit", json!([10, 100])),
    ]
}
