//! Keystone over HTTP: one request, its answer, each within a limit in time and size.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use navigator_tls::{Connector, Spoken, TlsOptions, connector};
use serde_json::Value;

use super::KeystoneError;

/// The longest answer, in bytes: a token's roles, without the catalogue.
const ANSWER_LIMIT: usize = 1 << 20;
/// An idle connection that the other end closes at about the same time costs a failed request.
const IDLE: Duration = Duration::from_secs(4);

/// Cheap to clone; clones share connections.
#[derive(Clone)]
pub(super) struct Http {
    client: legacy::Client<Connector, Full<Bytes>>,
    /// `http://host:port/v3`
    base: String,
    timeout: Duration,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Result<Value, KeystoneError> {
        serde_json::from_slice(&self.body).map_err(|error| KeystoneError::Answer(error.to_string()))
    }
}

impl Http {
    /// `url` with or without `/v3`.
    pub(super) fn new(
        url: &str,
        timeout: Duration,
        tls: &TlsOptions,
    ) -> Result<Self, KeystoneError> {
        let bad = |reason: &str| KeystoneError::Setup(format!("{url}: {reason}"));
        let trimmed = url.trim_end_matches('/');
        let base = trimmed.strip_suffix("/v3").unwrap_or(trimmed);
        let uri: Uri = base.parse().map_err(|_| bad("not a URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(bad("an http:// or https:// URL is needed"));
        }
        if uri.authority().is_none() {
            return Err(bad("no host"));
        }
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(timeout));
        http.set_nodelay(true);
        let connector = connector(base, http, Spoken::Http1, tls)
            .map_err(|error| KeystoneError::Setup(error.to_string()))?;
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { client, base: format!("{base}/v3"), timeout })
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, HeaderValue)],
        body: Option<&Value>,
    ) -> Result<Answer, KeystoneError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = request
            .body(Full::from(body))
            .map_err(|error| KeystoneError::Setup(error.to_string()))?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| unreachable(&error))?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await;
            let body = body.map_err(|error| KeystoneError::Unreachable(error.to_string()))?;
            Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(KeystoneError::Unreachable(format!("no answer within {:?}", self.timeout)))
            }
        }
    }
}

/// The chain of causes: hyper's own text is only "client error (Connect)".
fn unreachable(error: &dyn std::error::Error) -> KeystoneError {
    let causes = std::iter::successors(Some(error), |error| error.source());
    KeystoneError::Unreachable(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

/// A header that no log shows.
pub(super) fn secret(value: &str) -> Result<HeaderValue, KeystoneError> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| KeystoneError::Setup("a token that is not printable ASCII".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_have_the_version_and_needs_a_scheme_that_is_spoken() {
        let tls = TlsOptions::default();
        let base = |url| Http::new(url, Duration::from_secs(1), &tls).map(|http| http.base);
        for url in ["http://k:5000", "http://k:5000/", "http://k:5000/v3", "http://k:5000/v3/"] {
            assert_eq!(base(url).unwrap(), "http://k:5000/v3");
        }
        assert_eq!(base("http://k/identity").unwrap(), "http://k/identity/v3");
        assert_eq!(base("https://k:5000").unwrap(), "https://k:5000/v3");
        for url in ["", "k:5000", "ftp://k", "http://"] {
            assert!(base(url).is_err(), "{url}");
        }
    }
}
