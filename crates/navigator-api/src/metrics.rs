//! What the server counts about itself, and its text at `/metrics`. Nothing in it names a project, a
//! user or an object.

mod registry;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    extract::State,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use navigator_store::Figures;

use crate::{identity::TokenFigures, state::ApiState};
use registry::{Counter, Histogram, single};

/// Of requests to paths that are no route.
const NO_ROUTE: &str = "none";

#[derive(Debug)]
pub struct Metrics {
    requests: Counter<3>,
    durations: Histogram<2>,
    in_flight: Arc<AtomicU64>,
    agent_streams: Arc<AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Counter::new(["method", "collection", "status"]),
            durations: Histogram::new(["method", "collection"]),
            in_flight: Arc::default(),
            agent_streams: Arc::default(),
        }
    }
}

/// One more of something as long as it lives.
pub(crate) struct Present(Arc<AtomicU64>);

impl Present {
    fn new(gauge: &Arc<AtomicU64>) -> Self {
        gauge.fetch_add(1, Relaxed);
        Self(Arc::clone(gauge))
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Metrics {
    pub(crate) fn request_begins(&self) -> Present {
        Present::new(&self.in_flight)
    }

    pub(crate) fn stream_begins(&self) -> Present {
        Present::new(&self.agent_streams)
    }

    /// `route` is the route's pattern, with `{parent}` and `{id}` for what varies.
    pub(crate) fn request_ended(
        &self,
        method: &Method,
        route: Option<&str>,
        status: StatusCode,
        duration: Duration,
    ) {
        let labels = [method_label(method), collection(route)];
        let [method, collection] = labels.clone();
        self.requests.increment([method, collection, status.as_u16().to_string()]);
        self.durations.observe(labels, duration);
    }

    fn text(&self, store: &Figures) -> String {
        let mut text = String::new();
        self.requests.write(
            &mut text,
            "navigator_requests_total",
            "Requests answered, by method, collection and status.",
        );
        self.durations.write(
            &mut text,
            "navigator_request_duration_seconds",
            "From a request's head to its answer's head.",
        );
        let gauges = [
            ("navigator_requests_in_flight", "Requests at work.", self.in_flight.load(Relaxed)),
            (
                "navigator_agent_streams",
                "Agents that listen for wake-ups over HTTP.",
                self.agent_streams.load(Relaxed),
            ),
        ];
        for (name, help, value) in gauges {
            single(&mut text, "gauge", name, help, value);
        }
        database(&mut text, store);
        text
    }
}

fn database(text: &mut String, store: &Figures) {
    let counters = [
        ("transactions_committed", "Decisions committed.", store.committed),
        ("transactions_refused", "Decisions that a rule refused.", store.refused),
        ("transactions_failed", "Decisions given up: answered 503 or 500.", store.failed),
        ("conflicts", "Attempts that met another writer.", store.conflicts),
        ("retries", "Attempts after the first.", store.retries),
    ];
    for (name, help, value) in counters {
        single(text, "counter", &format!("navigator_database_{name}_total"), help, value);
    }
    let gauges = [
        ("connections", "Open connections to the database.", store.connections),
        ("connections_idle", "Connections that wait for work.", store.idle_connections),
        ("connections_max", "The most connections that are opened.", store.most_connections),
    ];
    for (name, help, value) in gauges {
        single(text, "gauge", &format!("navigator_database_{name}"), help, value);
    }
}

fn token_cache(text: &mut String, tokens: &TokenFigures) {
    let counters = [
        ("hits", "Tokens that were remembered.", tokens.hits),
        ("misses", "Tokens that Keystone was to be asked about.", tokens.misses),
        (
            "unanswered",
            "Requests answered 503 because Keystone could not be asked.",
            tokens.unanswered,
        ),
    ];
    for (name, help, value) in counters {
        single(text, "counter", &format!("navigator_token_{name}_total"), help, value);
    }
    let gauges = [
        ("known", "Remembered tokens that Keystone knows.", tokens.known),
        ("refused", "Remembered tokens that it does not know.", tokens.refused),
        ("bytes", "Memory for remembered tokens, in bytes, estimated.", tokens.bytes),
    ];
    for (name, help, value) in gauges {
        single(text, "gauge", &format!("navigator_token_cache_{name}"), help, value);
    }
}

/// A client can send any method.
fn method_label(method: &Method) -> String {
    let known = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD];
    if known.contains(method) { method.as_str().to_owned() } else { "OTHER".to_owned() }
}

/// `/v2.0/routers/{parent}/gateway_port_forwardings/{id}` is `routers/gateway_port_forwardings`.
fn collection(route: Option<&str>) -> String {
    let Some(route) = route else { return NO_ROUTE.to_owned() };
    let fixed: Vec<&str> = route
        .split('/')
        .filter(|segment| !segment.is_empty() && !segment.starts_with('{') && *segment != "v2.0")
        .collect();
    if fixed.is_empty() { "versions".to_owned() } else { fixed.join("/") }
}

pub(crate) async fn show(State(state): State<ApiState>) -> Response {
    const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
    let mut text = state.metrics.text(&state.store.figures());
    if let Some(tokens) = state.identity.tokens() {
        token_cache(&mut text, &tokens);
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_told_by_its_fixed_parts() {
        for (route, label) in [
            (None, "none"),
            (Some("/"), "versions"),
            (Some("/v2.0"), "versions"),
            (Some("/v2.0/networks"), "networks"),
            (Some("/v2.0/networks/{id}"), "networks"),
            (
                Some("/v2.0/routers/{parent}/gateway_port_forwardings/{id}"),
                "routers/gateway_port_forwardings",
            ),
            (Some("/v2.0/routers/{id}/add_router_interface"), "routers/add_router_interface"),
            (Some("/agent/v1/wakeups"), "agent/v1/wakeups"),
        ] {
            assert_eq!(collection(route), label);
        }
    }

    #[test]
    fn invented_methods_make_one_series() {
        let method = Method::from_bytes(b"FROBNICATE").unwrap();
        assert_eq!(method_label(&method), "OTHER");
    }
}
