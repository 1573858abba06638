//! Commands for extensions that Navigator does not have: the client says so and fails.

use serde_json::json;

use crate::row::{Row, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    // What the client looks for before it asks.
    let mut rows = vec![
        shows("network create x", json!({"name": "x"})),
        shows("port create y --network x", json!({"name": "y"})),
        shows("router create x", json!({"name": "x"})),
    ];
    for argv in [
        "local ip association create x y",
        "local ip association delete x y",
        "local ip association list x",
        "local ip create",
        "local ip delete x",
        "local ip list",
        "local ip set x --name y",
        "local ip show x",
        "router ndp proxy create x --port y",
        "router ndp proxy delete x",
        "router ndp proxy list",
        "router ndp proxy set x --name y",
        "router ndp proxy show x",
        "security group default statefulness create --stateful",
        "security group default statefulness delete x",
        "security group default statefulness list",
        "security group default statefulness set x --stateless",
        "security group default statefulness show x",
    ] {
        rows.push(refused(argv, "404"));
    }
    rows
}
