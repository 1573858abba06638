//! Every answer carries `X-Openstack-Request-Id: req-<uuid>`, and the log lines of a request too.

use axum::{extract::Request, http::HeaderValue, middleware::Next, response::Response};
use tracing::Instrument;
use uuid::Uuid;

pub(crate) async fn request_id(request: Request, next: Next) -> Response {
    let id = format!("req-{}", Uuid::new_v4());
    let span = tracing::info_span!("request", %id, method = %request.method(), path = request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-openstack-request-id", value);
    }
    response
}
