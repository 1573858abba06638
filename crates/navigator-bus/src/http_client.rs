//! The agent's side of the seam over HTTP/2, with TLS where the
//! URL says so: one connection for pulls, reports and the
//! stream of wake-ups. In: a base URL and an optional shared secret. Out: [`ControlPlane`].
//!
//! Every request has a limit in time, so a server that accepts and then says nothing costs an agent
//! seconds, not its life. It never retries: when to try again is the agent's decision.

use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture, stream::BoxStream};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, Uri, body::Incoming, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use navigator_model::{Fetched, Heartbeat, HostName, Report, Revision, Scope};
use navigator_tls::{Connector, Spoken, TlsOptions, connector};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::{BusError, ControlPlane, Wakeup, wire};

mod wakeup_lines;

/// Shorter than the kernel's first repetition of a lost SYN: trying anew is no slower.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(400);
/// Long enough for a complete snapshot of a very large router over a slow line.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer: 50,000 forwards are about 20 MB.
const ANSWER_LIMIT: usize = 256 << 20;
/// How much of an error's text is kept for the log.
const ERROR_TEXT_LIMIT: usize = 500;

/// What may stand in a query value as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'/');

/// Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct HttpControlPlane {
    client: Client<Connector, Full<Bytes>>,
    base_url: String,
    authorization: Option<header::HeaderValue>,
}

impl HttpControlPlane {
    /// `base_url` is `http://host:port`, or `https://`, with an optional path prefix. Connects on
    /// first use.
    pub fn new(base_url: &str, secret: Option<String>, tls: &TlsOptions) -> Result<Self, BusError> {
        let base_url = base_url.trim_end_matches('/').to_owned();
        let uri: Uri = base_url.parse().map_err(|error| refused(&base_url, &error))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
            return Err(refused(&base_url, &"not an http:// or https:// URL"));
        }
        let authorization = match secret {
            None => None,
            Some(secret) => {
                let mut value = header::HeaderValue::try_from(format!("Bearer {secret}"))
                    .map_err(|_| refused("secret", &"not printable ASCII"))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self { client: client(&base_url, tls)?, base_url, authorization })
    }

    fn url(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut url = format!("{}{path}", self.base_url);
        for (n, (name, value)) in parameters.iter().enumerate() {
            url.push(if n == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.extend(utf8_percent_encode(value, QUERY));
        }
        url
    }

    async fn send(
        &self,
        method: Method,
        url: String,
        body: Option<Vec<u8>>,
    ) -> Result<Response<Incoming>, BusError> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(value) = &self.authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::from(body.unwrap_or_default()))
            .map_err(|error| BusError::Refused(error.to_string()))?;
        let answer = self.client.request(request).await.map_err(|error| unreachable(&error))?;
        if answer.status().is_success() { Ok(answer) } else { Err(failure(answer).await) }
    }

    async fn get<T: DeserializeOwned>(&self, url: String) -> Result<T, BusError> {
        let body = self.send(Method::GET, url, None).await?.into_body();
        let bytes = Limited::new(body, ANSWER_LIMIT).collect().await;
        let bytes = bytes.map_err(|error| BusError::Unreachable(error.to_string()))?.to_bytes();
        serde_json::from_slice(&bytes).map_err(|error| BusError::Malformed(error.to_string()))
    }

    async fn post<T: serde::Serialize>(&self, url: String, value: &T) -> Result<(), BusError> {
        let body =
            serde_json::to_vec(value).map_err(|error| BusError::Malformed(error.to_string()))?;
        self.send(Method::POST, url, Some(body)).await.map(drop)
    }
}

impl ControlPlane for HttpControlPlane {
    fn fetch<'a>(
        &'a self,
        host: &'a HostName,
        scope: &'a Scope,
        since: Option<Revision>,
    ) -> BoxFuture<'a, Result<Fetched, BusError>> {
        let (scope, since) = (scope.to_string(), since.map(|revision| revision.to_string()));
        let mut parameters =
            vec![(wire::HOST_PARAMETER, host.0.as_str()), (wire::SCOPE_PARAMETER, &scope)];
        parameters.extend(since.as_deref().map(|revision| (wire::SINCE_PARAMETER, revision)));
        let url = self.url(wire::SNAPSHOT_PATH, &parameters);
        within(FETCH_TIMEOUT, self.get(url)).boxed()
    }

    fn revisions<'a>(
        &'a self,
        host: &'a HostName,
    ) -> BoxFuture<'a, Result<Vec<(Scope, Revision)>, BusError>> {
        let url = self.url(wire::REVISIONS_PATH, &[(wire::HOST_PARAMETER, &host.0)]);
        within(REQUEST_TIMEOUT, self.get(url)).boxed()
    }

    fn wakeups<'a>(
        &'a self,
        host: &'a HostName,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Wakeup>, BusError>> {
        let url = self.url(wire::WAKEUPS_PATH, &[(wire::HOST_PARAMETER, &host.0)]);
        async move {
            let answer = within(REQUEST_TIMEOUT, self.send(Method::GET, url, None)).await?;
            Ok(wakeup_lines::stream(answer.into_body(), wire::SILENCE))
        }
        .boxed()
    }

    fn heartbeat(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BusError>> {
        let url = self.url(wire::HEARTBEAT_PATH, &[]);
        within(REQUEST_TIMEOUT, async move { self.post(url, &heartbeat).await }).boxed()
    }

    fn report<'a>(
        &'a self,
        host: &'a HostName,
        report: Report,
    ) -> BoxFuture<'a, Result<(), BusError>> {
        let url = self.url(wire::REPORT_PATH, &[(wire::HOST_PARAMETER, &host.0)]);
        within(FETCH_TIMEOUT, async move { self.post(url, &report).await }).boxed()
    }
}

fn client(base_url: &str, tls: &TlsOptions) -> Result<Client<Connector, Full<Bytes>>, BusError> {
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    http.set_nodelay(true);
    let connector =
        connector(base_url, http, Spoken::Http2, tls).map_err(|error| refused(base_url, &error))?;
    Ok(Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_only(true)
        .http2_adaptive_window(true)
        // A server that vanished without closing is noticed also while nothing is asked of it.
        .http2_keep_alive_interval(wire::KEEPALIVE)
        .http2_keep_alive_timeout(wire::SILENCE - wire::KEEPALIVE)
        .http2_keep_alive_while_idle(true)
        .build(connector))
}

/// 4xx: the server will not. Anything else that is not success: it cannot at the moment.
async fn failure(answer: Response<Incoming>) -> BusError {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await;
    let text = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    let text: String = text.unwrap_or_default().chars().take(ERROR_TEXT_LIMIT).collect();
    let text = format!("{status} {text}");
    if status.is_client_error() { BusError::Refused(text) } else { BusError::Unreachable(text) }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, BusError>>,
) -> Result<T, BusError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(BusError::Unreachable(format!("no answer within {limit:?}"))),
    }
}

fn refused(what: &str, why: &dyn std::fmt::Display) -> BusError {
    BusError::Refused(format!("{what}: {why}"))
}

/// The chain of causes: hyper's own text is only "client error (Connect)".
fn unreachable(error: &dyn std::error::Error) -> BusError {
    let causes = std::iter::successors(Some(error), |error| error.source());
    BusError::Unreachable(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}
