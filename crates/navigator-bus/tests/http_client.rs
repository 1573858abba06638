//! The HTTP client against a real HTTP/2 server on loopback.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, channel::mpsc};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Frame, body::Incoming, service::service_fn};
use hyper_util::{rt::TokioExecutor, rt::TokioIo, server::conn::auto};
use navigator_bus::{BusError, ControlPlane, HttpControlPlane, Wakeup, wire};
use navigator_model::{Fetched, Heartbeat, HostName, Report, Revision, Scope};
use navigator_testkit::tls::{Authority, TlsFront, Validity};
use navigator_tls::TlsOptions;

type Body = UnsyncBoxBody<Bytes, Infallible>;
type Handler = dyn Fn(&Request<Incoming>) -> Response<Body> + Send + Sync;

fn body(text: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(text.into()).boxed_unsync()
}

async fn serve(
    handler: impl Fn(&Request<Incoming>) -> Response<Body> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler: Arc<Handler> = Arc::new(handler);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handler = handler.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let answer = handler(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    address
}

fn client(address: SocketAddr) -> HttpControlPlane {
    let tls = TlsOptions::default();
    HttpControlPlane::new(&format!("http://{address}"), Some("s3cret".to_owned()), &tls).unwrap()
}

fn status(code: u16, text: &'static str) -> Response<Body> {
    Response::builder().status(code).body(body(text)).unwrap()
}

fn router_scope() -> Scope {
    "router/11111111-2222-3333-4444-555555555555".parse().unwrap()
}

#[tokio::test]
async fn a_fetch_asks_for_host_scope_and_revision_with_the_secret() {
    let address = serve(|request| {
        assert_eq!(
            request.uri().path_and_query().unwrap().as_str(),
            "/agent/v1/snapshot?host=node%201&scope=router/11111111-2222-3333-4444-555555555555&since=7"
        );
        assert_eq!(request.headers()["authorization"], "Bearer s3cret");
        let gone = Fetched::Gone { scope: router_scope(), revision: Revision(9) };
        Response::new(body(serde_json::to_vec(&gone).unwrap()))
    })
    .await;
    let fetched =
        client(address).fetch(&HostName::from("node 1"), &router_scope(), Some(Revision(7))).await;
    assert_eq!(fetched.unwrap(), Fetched::Gone { scope: router_scope(), revision: Revision(9) });
}

#[tokio::test]
async fn revisions_come_as_pairs() {
    let address = serve(|_| {
        Response::new(body(r#"[["host/a",3],["router/11111111-2222-3333-4444-555555555555",12]]"#))
    })
    .await;
    let revisions = client(address).revisions(&HostName::from("a")).await.unwrap();
    assert_eq!(revisions, [(Scope::Host("a".into()), Revision(3)), (router_scope(), Revision(12))]);
}

#[tokio::test]
async fn a_refusal_is_told_from_a_server_that_cannot() {
    let address = serve(|request| match request.uri().path() {
        wire::HEARTBEAT_PATH => status(403, "wrong secret"),
        wire::REPORT_PATH => status(503, "no database"),
        _ => Response::new(body("not json")),
    })
    .await;
    let client = client(address);
    let host = HostName::from("a");
    let heartbeat = Heartbeat {
        host: host.clone(),
        availability_zone: "nova".to_owned(),
        roles: Vec::new(),
        started: true,
    };
    let refused = client.heartbeat(heartbeat).await;
    assert!(matches!(&refused, Err(BusError::Refused(text)) if text.contains("wrong secret")));
    let report = Report { scope: router_scope(), revision: Revision(1), outcomes: Vec::new() };
    assert!(matches!(client.report(&host, report).await, Err(BusError::Unreachable(_))));
    let fetched = client.fetch(&host, &router_scope(), None).await;
    assert!(matches!(fetched, Err(BusError::Malformed(_))));
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let client = client(SocketAddr::from(([127, 0, 0, 1], 1)));
    let error = client.revisions(&HostName::from("a")).await.unwrap_err();
    assert!(matches!(&error, BusError::Unreachable(text) if text.contains("refused")), "{error}");
}

fn streaming() -> (mpsc::UnboundedSender<&'static str>, Response<Body>) {
    let (sender, receiver) = mpsc::unbounded::<&'static str>();
    let frames = receiver.map(|text| Ok::<_, Infallible>(Frame::data(Bytes::from(text))));
    (sender, Response::new(BodyExt::boxed_unsync(StreamBody::new(frames))))
}

#[tokio::test]
async fn wakeups_arrive_line_by_line_and_keepalives_are_swallowed() {
    let senders = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = senders.clone();
    let address = serve(move |_| {
        let (sender, answer) = streaming();
        sender.unbounded_send("\n{\"scope\":\"host/a\",").unwrap();
        sender
            .unbounded_send("\"revision\":4}\n\n{\"scope\":\"host/a\",\"revision\":5}\n")
            .unwrap();
        kept.lock().unwrap().push(sender);
        answer
    })
    .await;
    let mut wakeups = client(address).wakeups(&HostName::from("a")).await.unwrap();
    let wakeup = |n| Wakeup { scope: Scope::Host("a".into()), revision: Revision(n) };
    assert_eq!(wakeups.next().await, Some(wakeup(4)));
    assert_eq!(wakeups.next().await, Some(wakeup(5)));
    senders.lock().unwrap().clear();
    assert_eq!(wakeups.next().await, None);
}

#[tokio::test]
async fn a_silent_stream_ends() {
    let senders = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = senders.clone();
    let address = serve(move |_| {
        let (sender, answer) = streaming();
        kept.lock().unwrap().push(sender);
        answer
    })
    .await;
    let mut wakeups = client(address).wakeups(&HostName::from("a")).await.unwrap();
    let end = tokio::time::timeout(wire::SILENCE * 10, wakeups.next()).await;
    assert_eq!(end.expect("the stream must end by itself"), None);
}

#[tokio::test]
async fn behind_tls_the_server_is_asked_and_listened_to_where_somebody_vouches_for_it() {
    let address = serve(|request| match request.uri().path() {
        wire::REVISIONS_PATH => Response::new(body("[]")),
        _ => status(404, "no such path"),
    })
    .await;
    let authority = Authority::new("the cloud's");
    let shown = authority.issue(&["127.0.0.1"], Validity::Now);
    let front = TlsFront::start(address, &shown, None, &["h2"]);
    let url = format!("https://127.0.0.1:{}", front.port());
    let known = TlsOptions { cafile: authority.file(), ..TlsOptions::default() };
    let plane = HttpControlPlane::new(&url, Some("s3cret".to_owned()), &known).unwrap();
    assert!(plane.revisions(&"network-1".into()).await.unwrap().is_empty());
    assert_eq!(front.handshakes(), 1);

    let unknown = HttpControlPlane::new(&url, Some("s3cret".to_owned()), &TlsOptions::default());
    let error = unknown.unwrap().revisions(&"network-1".into()).await.unwrap_err();
    assert!(
        matches!(&error, BusError::Unreachable(why) if why.contains("UnknownIssuer")),
        "{error}"
    );
    assert_eq!(front.handshakes(), 1, "it has heard no secret");
}
