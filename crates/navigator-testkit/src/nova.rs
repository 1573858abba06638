//! A compute service that only knows `POST /v2.1/os-server-external-events`, as Nova's API reference
//! tells it: it checks what it is sent, answers with Nova's codes, and keeps the events.

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// The token that it accepts.
pub const TOKEN: &str = "secret-of-nova";
const PATH: &str = "/v2.1/os-server-external-events";
const NAMES: &[&str] =
    &["network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted"];

#[derive(Default)]
struct Told {
    servers: HashSet<String>,
    events: Vec<Value>,
    requests: usize,
    /// It takes every token.
    trusting: bool,
    tokens: Vec<String>,
    /// Answers for the next requests instead of its own, by status.
    failures: Vec<u16>,
}

/// Runs until dropped.
pub struct FakeNova {
    endpoint: String,
    told: Arc<Mutex<Told>>,
    task: JoinHandle<()>,
}

impl Drop for FakeNova {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeNova {
    /// Knows these servers.
    pub async fn start(servers: &[&str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let servers = servers.iter().map(|server| (*server).to_owned()).collect();
        let told = Arc::new(Mutex::new(Told { servers, ..Told::default() }));
        let task = tokio::spawn(serve(listener, Arc::clone(&told)));
        Self { endpoint: format!("http://{address}/v2.1"), told, task }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The next requests are answered with these statuses.
    pub fn fail_next(&self, statuses: &[u16]) {
        lock(&self.told).failures.extend(statuses);
    }

    /// From now on it takes every token.
    pub fn trust_everybody(&self) {
        lock(&self.told).trusting = true;
    }

    /// The tokens that it was shown, in order.
    pub fn tokens(&self) -> Vec<String> {
        lock(&self.told).tokens.clone()
    }

    pub fn requests(&self) -> usize {
        lock(&self.told).requests
    }

    /// The events that it took so far, oldest first, as `name status tag`; they are forgotten.
    pub fn take(&self) -> Vec<String> {
        let text = |event: Value| {
            let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", word("name"), word("status"), word("tag"))
        };
        std::mem::take(&mut lock(&self.told).events).into_iter().map(text).collect()
    }

    /// Waits until it has taken as many events, at most a minute, and takes them.
    pub async fn wait(&self, count: usize) -> Vec<String> {
        let patience = Instant::now() + Duration::from_secs(60);
        while lock(&self.told).events.len() < count && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.take()
    }
}

async fn serve(listener: TcpListener, told: Arc<Mutex<Told>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let told = Arc::clone(&told);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&told)));
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    told: Arc<Mutex<Told>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let right_place = request.method() == Method::POST && request.uri().path() == PATH;
    let token = request.headers().get("x-auth-token").and_then(|token| token.to_str().ok());
    let token = lock(&told).knows(token.unwrap_or_default());
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (status, answer) = if right_place && token {
        lock(&told).take_in(&body)
    } else {
        (if right_place { 401 } else { 404 }, Value::Null)
    };
    let mut response = Response::new(Full::from(answer.to_string()));
    *response.status_mut() = status.try_into().unwrap_or_default();
    Ok(response)
}

impl Told {
    fn knows(&mut self, token: &str) -> bool {
        self.tokens.push(token.to_owned());
        self.trusting || token == TOKEN
    }

    fn take_in(&mut self, body: &Value) -> (u16, Value) {
        self.requests += 1;
        if !self.failures.is_empty() {
            return (self.failures.remove(0), Value::Null);
        }
        let events = body["events"].as_array().filter(|events| !events.is_empty());
        let Some(events) = events.filter(|events| events.iter().all(is_valid)) else {
            return (400, json!({"badRequest": {"code": 400, "message": body.to_string()}}));
        };
        let (mut answers, mut known) = (Vec::new(), 0);
        for event in events {
            let found = event["server_uuid"].as_str().is_some_and(|id| self.servers.contains(id));
            let mut answer = event.clone();
            answer["code"] = json!(if found { 200 } else { 404 });
            if found {
                known += 1;
                self.events.push(event.clone());
            } else {
                answer["status"] = json!("failed");
            }
            answers.push(answer);
        }
        let status = match known {
            0 => 404,
            known if known < events.len() => 207,
            _ => 200,
        };
        (status, json!({ "events": answers }))
    }
}

/// Exactly the four attributes of an event, each of its kind.
fn is_valid(event: &Value) -> bool {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let is_id = |id: &str| {
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        groups == [8, 4, 4, 4, 12] && id.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
    };
    event.as_object().is_some_and(|object| object.len() == 4)
        && NAMES.contains(&text("name"))
        && ["completed", "failed", "in-progress"].contains(&text("status"))
        && is_id(text("server_uuid"))
        && is_id(text("tag"))
}
