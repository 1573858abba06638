//! One request of the compute API, and what its answer means for each event.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use navigator_store::PendingEvent;
use navigator_tls::{Connector, Spoken, TlsError, TlsOptions, connector};
use serde_json::{Value, json};

use super::Access;

/// Shorter than the lease under which it is sent.
const TIMEOUT: Duration = Duration::from_secs(15);
const ANSWER_LIMIT: usize = 1 << 20;

/// Why events were not taken. Each is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("no access: {0}")]
    NoAccess(String),
    #[error("it does not accept our token")]
    Unauthorized,
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("the endpoint is not a URL: {0}")]
    Endpoint(String),
}

/// With its causes: hyper's own text is only "client error (Connect)".
fn unreachable(error: &dyn std::error::Error) -> Failure {
    let causes = std::iter::successors(Some(error), |error| error.source());
    Failure::Unreachable(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

/// Speaks to one compute service.
pub struct NovaClient(legacy::Client<Connector, Full<Bytes>>);

impl NovaClient {
    /// `endpoint` says whether TLS is spoken, and `tls` how.
    pub fn new(endpoint: &str, tls: &TlsOptions) -> Result<Self, TlsError> {
        let connector = connector(endpoint, HttpConnector::new(), Spoken::Http1, tls)?;
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        Ok(Self(builder.pool_timer(TokioTimer::new()).build(connector)))
    }

    /// Succeeds once the service has said something about the events: also that it knows none of
    /// their servers, which are gone, or that it does not understand them, which repeating cannot
    /// change.
    pub(super) async fn send(
        &self,
        access: &Access,
        events: &[PendingEvent],
    ) -> Result<(), Failure> {
        let exchange = self.exchange(access, body(events));
        let (status, answer) = tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| Failure::Unreachable("no answer in time".to_owned()))??;
        match status {
            status if status.is_success() => log(&answer),
            StatusCode::NOT_FOUND => tracing::debug!("the compute service knows no such servers"),
            StatusCode::UNAUTHORIZED => return Err(Failure::Unauthorized),
            StatusCode::FORBIDDEN | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                return Err(Failure::Status(status));
            }
            status if status.is_client_error() => {
                tracing::error!(%status, %answer, "the compute service refused events for good");
            }
            status => return Err(Failure::Status(status)),
        }
        Ok(())
    }

    async fn exchange(&self, access: &Access, body: Value) -> Result<(StatusCode, Value), Failure> {
        let url = format!("{}/os-server-external-events", access.endpoint.trim_end_matches('/'));
        let request = Request::builder()
            .method(Method::POST)
            .uri(&url)
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .header("x-auth-token", &access.token)
            .body(Full::from(body.to_string()))
            .map_err(|error| Failure::Endpoint(error.to_string()))?;
        let answer = self.0.request(request).await.map_err(|error| unreachable(&error))?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await;
        let bytes = bytes.map_err(|error| unreachable(&*error))?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}

fn body(events: &[PendingEvent]) -> Value {
    let event = |event: &PendingEvent| {
        json!({
            "name": event.name,
            "server_uuid": event.server_id,
            "status": event.status,
            "tag": event.port_id,
        })
    };
    json!({ "events": events.iter().map(event).collect::<Vec<_>>() })
}

/// The service says for each event what became of it. A server that is gone or has no host yet is
/// nothing to repeat.
fn log(answer: &Value) {
    for event in answer["events"].as_array().into_iter().flatten() {
        let (name, server, code) = (&event["name"], &event["server_uuid"], &event["code"]);
        match code.as_u64() {
            Some(200) | None => tracing::debug!(%name, %server, "told the compute service"),
            Some(404 | 422) => tracing::info!(%name, %server, %code, "the server cannot be told"),
            Some(_) => tracing::warn!(%name, %server, %code, "the compute service failed an event"),
        }
    }
}
