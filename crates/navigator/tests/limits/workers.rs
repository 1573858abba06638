//! `server.workers` in both modes that serve: a process has that many threads for its tasks, and with a
//! single one server and agent get on in one process.

use std::{fs, thread::available_parallelism};

use navigator_testkit::{
    Navigator, Site,
    cloud::{API, Hosts, Tenant, wait_active},
};
use serde_json::json;

/// Far more than a process starts by itself.
const MORE: usize = 64;

fn with_workers(config: &str, workers: usize) -> String {
    config.replacen("[server]\n", &format!("[server]\nworkers = {workers}\n"), 1)
}

fn threads(navigator: &Navigator<'_>) -> usize {
    let pid = navigator.process().unwrap().pid();
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

#[test]
fn a_process_that_serves_has_as_many_workers_as_it_was_told() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let own = available_parallelism().unwrap().get();
    for mode in ["server", "all-in-one"] {
        let few = Navigator::start(&hosts.node, mode, &hosts.config(), API);
        let by_itself = threads(&few);
        assert!(by_itself < own + MORE, "{mode}: {by_itself} threads");
        drop(few);
        let many = with_workers(&hosts.config(), own + MORE);
        let told = threads(&Navigator::start(&hosts.node, mode, &many, API));
        assert!(told >= own + MORE, "{mode}: {told} threads");
    }
}

#[test]
fn server_and_agent_in_one_process_get_on_with_one_worker() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let one = with_workers(&hosts.config(), 1);
    let navigator = Navigator::start(&hosts.node, "all-in-one", &one, API);
    let mut api = navigator.api();
    let tenant = Tenant::make(&mut api);
    let web = tenant.instance(&mut api, &site, &hosts.node, "web");
    let body = json!({"external_port": 2000, "internal_port": 80, "protocol": "tcp",
        "internal_port_id": web.port});
    let forward = tenant.forward(&mut api, body);
    let id = forward["id"].as_str().unwrap();
    wait_active(&mut api, &format!("{}/{id}", tenant.gateway_forwards()));
}
