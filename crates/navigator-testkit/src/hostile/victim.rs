//! A client that does ordinary things, one after the other, and expects each to be done.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::attacker::{VICTIM, connect};

/// Far beyond what anybody should wait: a busy machine may take long, but not for ever.
const BOUND: Duration = Duration::from_secs(30);
/// "bob:bob"
const CREDENTIALS: &str = "Basic Ym9iOmJvYg==";

#[derive(Debug)]
pub struct Victim {
    address: SocketAddr,
    connection: Option<TcpStream>,
    took: Vec<Duration>,
    /// The network that it made last.
    network: String,
    step: usize,
}

impl Victim {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, connection: None, took: Vec::new(), network: String::new(), step: 0 }
    }

    pub fn requests(&self) -> usize {
        self.took.len()
    }

    /// How long each request took.
    pub fn took(&self) -> &[Duration] {
        &self.took
    }

    pub fn p99(&self) -> Duration {
        let mut took = self.took.clone();
        took.sort_unstable();
        took[(took.len() * 99 / 100).min(took.len() - 1)]
    }

    pub async fn work_for(&mut self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time || self.network.is_empty() || self.step != 0 {
            self.work().await;
        }
    }

    /// The next request.
    pub async fn work(&mut self) {
        let member = format!("/v2.0/networks/{}", self.network);
        let (method, path, body, expected) = match self.step {
            0 => ("POST", "/v2.0/networks", r#"{"network": {"name": "work"}}"#, 201),
            1 => ("GET", member.as_str(), "", 200),
            2 => ("GET", "/v2.0/networks", "", 200),
            _ => ("DELETE", member.as_str(), "", 204),
        };
        let start = Instant::now();
        let answer = timeout(BOUND, self.ask(method, path, body)).await;
        let (status, body) = answer.unwrap_or_else(|_| panic!("{method} {path}: no answer"));
        self.took.push(start.elapsed());
        assert_eq!(status, expected, "{method} {path}: {body}");
        if self.step == 0 {
            let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            self.network = body["network"]["id"].as_str().expect("an id").to_owned();
        }
        self.step = (self.step + 1) % 4;
    }

    async fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        if self.connection.is_none() {
            self.connection = Some(connect(VICTIM, self.address).await);
        }
        let connection = self.connection.as_mut().expect("it was made");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: {CREDENTIALS}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes()).await.expect("the request is taken");
        answer(connection).await
    }
}

/// One answer of a connection that stays open.
async fn answer(connection: &mut TcpStream) -> (u16, String) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
            if body.len() >= length {
                return (
                    head.split(' ')
                        .nth(1)
                        .and_then(|status| status.parse().ok())
                        .expect("a status"),
                    body.to_owned(),
                );
            }
        }
        let read = connection.read_buf(&mut bytes).await.expect("an answer");
        assert!(read > 0, "the server closed the connection: {}", String::from_utf8_lossy(&bytes));
    }
}
