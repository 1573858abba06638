//! `openstack network rbac …`. The client asks Keystone for the project.

use serde_json::json;

use crate::row::{Row, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        shows("network create mine", json!({"shared": false})).keep("mine", "/id"),
        shows(
            "network rbac create mine --type network --action access_as_shared \
             --target-all-projects",
            json!({"object_type": "network", "action": "access_as_shared", "object_id": "{mine}",
                "target_project_id": "*"}),
        )
        .keep("all", "/id"),
        shows("network show mine", json!({"shared": true})),
        lists("network rbac list --type network", "ID", json!(["{all}"])),
        lists("network rbac list --type qos_policy", "ID", json!([])),
        shows("project create other", json!({"name": "other"})).keep("other", "/id"),
        quiet("network rbac set {all} --target-project other"),
        shows("network rbac show {all}", json!({"target_project_id": "{other}"})),
        shows("network show mine", json!({"shared": false})),
        quiet("network rbac delete {all}"),
        refused("network rbac show {all}", "No RBACPolicy found for"),
        quiet("network delete mine"),
    ]
}
