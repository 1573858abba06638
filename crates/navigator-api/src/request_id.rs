//! What is told about every request: its id in the answer and in all log lines, one line in the log
//! when it ends, and the metrics. Targets that are too long go no further.
//!
//! The id is always our own, so that no client can make two requests look like one. The id that a
//! caller sends (`X-Openstack-Request-Id`, as Nova does) stands beside it in the log.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tracing::{Instrument, Span, field};
use uuid::Uuid;

use crate::{fault::Fault, metrics::Metrics};

const HEADER: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// The caller's own id for what it is doing, if it has the form of one.
fn global_id(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(HEADER)?.to_str().ok()?;
    let uuid = value.strip_prefix("req-")?;
    Uuid::try_parse(uuid).ok().filter(|_| uuid.len() == 36).map(|_| value)
}

/// Longer request targets are refused, in bytes.
const URI_LIMIT: usize = 32 * 1024;

pub(crate) async fn observe(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let id = format!("req-{}", Uuid::new_v4());
    let method = request.method().clone();
    let span = tracing::info_span!(
        "request", %id, %method, path = request.uri().path(),
        global_id = field::Empty, user = field::Empty, project = field::Empty,
    );
    if let Some(global) = global_id(request.headers()) {
        span.record("global_id", global);
    }
    let route = request.extensions().get::<MatchedPath>().cloned();
    let at_work = metrics.request_begins();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let mut response = match target > URI_LIMIT {
        true => Fault::UriTooLong.into_response(),
        false => next.run(request).instrument(span.clone()).await,
    };
    drop(at_work);
    let (status, duration) = (response.status(), start.elapsed());
    let route = route.as_ref().map(MatchedPath::as_str);
    metrics.request_ended(&method, route, status, duration);
    let ms = duration.as_secs_f64() * 1000.0;
    tracing::info!(parent: &span, status = status.as_u16(), ms, "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// From here on the log lines of the request say who asks.
pub(crate) fn asked_by(user: &str, project: &str) {
    Span::current().record("user", user).record("project", project);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_the_usual_form_reach_the_log() {
        for (value, taken) in [
            ("req-6f8a1c2e-0a3b-4c5d-8e9f-001122334455", true),
            ("6f8a1c2e-0a3b-4c5d-8e9f-001122334455", false),
            ("req-6f8a1c2e0a3b4c5d8e9f001122334455", false),
            ("req-x", false),
            ("req-6f8a1c2e-0a3b-4c5d-8e9f-001122334455 or more", false),
        ] {
            let headers = HeaderMap::from_iter([(HEADER, HeaderValue::from_static(value))]);
            assert_eq!(global_id(&headers).is_some(), taken, "{value}");
        }
    }
}
