//! The kit's own Navigator: started, called, killed and started again in a host.

use std::net::SocketAddr;

use navigator_testkit::{Navigator, Postgres, Site, navigator::all_in_one};
use serde_json::json;

fn local() -> SocketAddr {
    ([127, 0, 0, 1], 9696).into()
}

#[test]
fn what_was_made_is_there_again_after_a_kill() {
    let site = Site::new();
    let host = site.host("node");
    let config = all_in_one(&host, local(), None, &[]);
    let mut navigator = Navigator::start(&host, "all-in-one", &config, local());
    let body = json!({"network": {"name": "kept"}});
    let (status, made) = navigator.api().post("/v2.0/networks", &body).expect("an answer");
    assert_eq!(status, 201, "{made}");
    navigator.restart();
    let (status, list) = navigator.api().get("/v2.0/networks").expect("an answer");
    assert_eq!(status, 200);
    assert_eq!(list["networks"][0]["id"], made["network"]["id"]);
}

#[test]
fn it_runs_on_a_database_of_the_private_postgresql() {
    let site = Site::new();
    let host = site.host("node");
    let database = Postgres::shared().database();
    let config = all_in_one(&host, local(), Some(&database), &[]);
    let navigator = Navigator::start(&host, "all-in-one", &config, local());
    let (status, list) = navigator.api().get("/v2.0/networks").expect("an answer");
    assert_eq!((status, list), (200, json!({"networks": []})));
}
