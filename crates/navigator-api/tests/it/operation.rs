//! What an operator's tools see: health, metrics, the end of a server.

use std::time::{Duration, Instant};

use navigator_api::Policy;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    cloud::{Backend, Cloud},
    server::Server,
};

on_both! {
    a_server_is_ready_when_its_schema_is_there,
}

async fn a_server_is_ready_when_its_schema_is_there(backend: Backend) {
    let cloud = Cloud::on(backend).await;
    for path in ["/healthcheck", "/healthcheck/live"] {
        let answer = cloud.get("nobody", path).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_server_without_its_database_is_alive_but_not_ready() {
    let cloud = Cloud::new().await;
    cloud.store.close().await;
    assert_eq!(cloud.get("nobody", "/healthcheck/live").await.status, 200);
    let answer = cloud.get("nobody", "/healthcheck").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "1");
    for (method, path) in [("GET", "/v2.0/networks"), ("POST", "/v2.0/networks")] {
        let body = json!({"network": {}}).to_string().into_bytes();
        let answer = cloud.raw("alice", method, path, body).await;
        answer.refused(503, "ServiceUnavailable");
        assert_eq!(answer.headers["retry-after"], "1");
    }
}

#[tokio::test]
async fn requests_are_counted_by_method_collection_and_status() {
    let cloud = Cloud::new().await;
    cloud.create("alice", "networks", "network", json!({})).await;
    cloud.get("nobody", "/v2.0/networks").await;
    cloud.get("alice", "/v2.0/networks/5c2d3d5d-8e0b-4f62-9b80-6ff09d6ea4f4").await;
    cloud.get("alice", "/no/such/path").await;
    let request = crate::cloud::request("nobody", "GET", "/metrics");
    let text = cloud.text(request).await;
    for line in [
        "navigator_requests_total{method=\"POST\",collection=\"networks\",status=\"201\"} 1",
        "navigator_requests_total{method=\"GET\",collection=\"networks\",status=\"401\"} 1",
        "navigator_requests_total{method=\"GET\",collection=\"networks\",status=\"404\"} 1",
        "navigator_requests_total{method=\"GET\",collection=\"none\",status=\"404\"} 1",
        "navigator_request_duration_seconds_count{method=\"GET\",collection=\"networks\"} 2",
        "navigator_requests_in_flight 1",
        "navigator_database_transactions_committed_total 1",
        "navigator_database_retries_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    // Each sample follows its type, as parsers want it.
    let described = |name: &str| text.contains(&format!("# TYPE {name} "));
    for sample in text.lines().filter(|line| !line.starts_with('#')) {
        let name = sample.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        assert!(described(name) || family.is_some_and(described), "{sample}");
    }
}

/// Waits until the server has begun with one request beside that for its metrics.
async fn wait_until_at_work(server: &Server) {
    let metrics = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let start = Instant::now();
    while !server.exchange(metrics).await.contains("\nnavigator_requests_in_flight 2\n") {
        assert!(start.elapsed() < Duration::from_secs(20), "the request does not begin");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_finishes_what_it_began_and_takes_nothing_new() {
    let server = Server::start().await;
    // A request whose body is still on its way, and an agent that listens for ever.
    let mut open = server.connect().await;
    let body = r#"{"network": {"name": "late"}}"#;
    let head = format!(
        "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\
         authorization: Basic YWRtaW46YWRtaW4=\r\n\r\n",
        body.len()
    );
    open.write_all(head.as_bytes()).await.unwrap();
    let mut agent = server.connect().await;
    let listen = "GET /agent/v1/wakeups?host=h HTTP/1.1\r\nhost: x\r\n\
                  authorization: Bearer secret\r\n\r\n";
    agent.write_all(listen.as_bytes()).await.unwrap();
    assert!(agent.read(&mut [0; 512]).await.unwrap() > 0, "the agent listens");
    wait_until_at_work(&server).await;

    let address = server.address;
    let start = Instant::now();
    let stopping = tokio::spawn(server.stop());
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(4), "a new connection is refused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    open.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    open.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    stopping.await.unwrap();
    // Neither the idle connection nor the stream held it up until its limit of five seconds.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_does_not_end_is_cut_off() {
    let server = Server::start().await;
    let mut open = server.connect().await;
    let head = "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\
                authorization: Basic YWRtaW46YWRtaW4=\r\n\r\n";
    open.write_all(head.as_bytes()).await.unwrap();
    wait_until_at_work(&server).await;
    let start = Instant::now();
    server.stop().await;
    let elapsed = start.elapsed();
    assert!((4..20).contains(&elapsed.as_secs()), "{elapsed:?}");
}

#[tokio::test]
async fn rules_that_are_replaced_count_from_the_next_request_on() {
    let cloud = Cloud::new().await;
    let shared = json!({"network": {"shared": true}});
    cloud.post("alice", "/v2.0/networks", &shared).await.refused(403, "PolicyNotAuthorized");
    let open = Policy::new(Some(r#""create_network:shared": "role:member""#)).unwrap();
    cloud.policy.replace(open);
    cloud.post("alice", "/v2.0/networks", &shared).await.expect(201);
    // Who is an administrator is a rule too.
    let nobody = Policy::new(Some("context_is_admin: \"!\"")).unwrap();
    cloud.policy.replace(nobody);
    cloud.post("admin", "/v2.0/networks", &shared).await.refused(403, "PolicyNotAuthorized");
}
