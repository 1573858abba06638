//! Where a request ends: two tenants on one connection, and requests that a proxy in between could
//! have understood otherwise.

use std::time::{Duration, Instant};

use base64::Engine as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::server::Server;

fn credentials(user: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{user}"));
    format!("authorization: Basic {text}\r\n")
}

fn make(user: &str, name: &str) -> String {
    let body = format!("{{\"network\": {{\"name\": \"{name}\"}}}}");
    let credentials = credentials(user);
    let length = body.len();
    format!(
        "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\n{credentials}content-length: {length}\r\n\r\n{body}"
    )
}

fn list(user: &str, last: &str) -> String {
    format!("GET /v2.0/networks?fields=name HTTP/1.1\r\nhost: x\r\n{last}{}\r\n", credentials(user))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tenants_on_one_connection_only_see_their_own() {
    const ROUNDS: usize = 2000;
    let server = Server::start().await;
    for user in ["alice", "bob"] {
        let mut stream = server.connect().await;
        stream.write_all(make(user, user).as_bytes()).await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
    }
    // All at once: as a proxy would that keeps connections for everybody.
    let start = Instant::now();
    let (mut read, mut write) = server.connect().await.into_split();
    let sender = tokio::spawn(async move {
        for round in 0..ROUNDS {
            write.write_all(list("alice", "").as_bytes()).await.unwrap();
            let last = if round + 1 == ROUNDS { "connection: close\r\n" } else { "" };
            write.write_all(list("bob", last).as_bytes()).await.unwrap();
        }
        write
    });
    let mut answers = String::new();
    read.read_to_string(&mut answers).await.unwrap();
    sender.await.unwrap();
    let names: Vec<&str> =
        answers.split("{\"name\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let wrong = names.iter().enumerate().filter(|(n, name)| **name != ["alice", "bob"][n % 2]);
    assert_eq!((names.len(), wrong.count()), (2 * ROUNDS, 0));
    println!("{} answers on one connection in {:?}, 0 wrong", names.len(), start.elapsed());
    server.stop().await;
}

/// What a request smuggled behind another one would make.
const SMUGGLED: &str = "smuggled";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_be_understood_otherwise_ends_the_connection() {
    let server = Server::start().await;
    let hidden = make("bob", SMUGGLED);
    let post = "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\n";
    let who = credentials("alice");
    let chunked = "0\r\n\r\n";
    let cases = [
        (
            "length, then chunked",
            format!("{post}{who}content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n{chunked}"),
        ),
        (
            "chunked, then length",
            format!("{post}{who}transfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n{chunked}"),
        ),
        (
            "two lengths",
            format!("{post}{who}content-length: 6\r\ncontent-length: 5\r\n\r\n{chunked}"),
        ),
        ("a length with a sign", format!("{post}{who}content-length: +5\r\n\r\n{chunked}")),
        (
            "not chunked at last",
            format!("{post}{who}transfer-encoding: chunked, identity\r\n\r\n{chunked}"),
        ),
        ("a folded line", format!("{post}{who}x-folded: a\r\n b\r\ncontent-length: 0\r\n\r\n")),
        ("a space before the colon", format!("{post}{who}content-length : 0\r\n\r\n")),
        ("a bare return", format!("{post}{who}x-bare: a\rb\r\ncontent-length: 0\r\n\r\n")),
        (
            "chunked in HTTP/1.0",
            format!(
                "POST /v2.0/networks HTTP/1.0\r\n{who}transfer-encoding: chunked\r\n\r\n{chunked}"
            ),
        ),
    ];
    for (what, request) in cases {
        let mut stream = server.connect().await;
        stream.write_all(format!("{request}{hidden}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Whether it is closed or reset: nothing more is answered.
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer));
        assert!(ended.await.is_ok(), "{what}: the connection stays open");
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.0 400"),
            "{what}: {answer}"
        );
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer}");
    }
    let listed = server.exchange(list("bob", "connection: close\r\n").as_bytes()).await;
    assert!(listed.starts_with("HTTP/1.1 200") && !listed.contains(SMUGGLED), "{listed}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extreme_but_well_formed_requests_are_answered() {
    let server = Server::start().await;
    let get = async |target: &str| {
        let who = credentials("alice");
        let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{who}\r\n");
        let answer = server.exchange(request.as_bytes()).await;
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    for limit in ["1000000000", "4294967294", "4294967295", "4294967296", "9223372036854775807"] {
        assert_eq!(get(&format!("/v2.0/networks?limit={limit}")).await, "200", "{limit}");
    }
    assert_eq!(get("/v2.0/networks?limit=9223372036854775808").await, "400");
    for parameter in ["fields=name&", "name=a&"] {
        let many = |count| format!("/v2.0/networks?{}", parameter.repeat(count));
        assert_eq!(get(&many(900)).await, "200", "{parameter}");
        // More than a thousand parameters are refused.
        assert_eq!(get(&many(2500)).await, "400", "{parameter}");
    }
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    let body = format!("{{\"network\": {{\"name\": {deep}}}}}");
    let request = format!(
        "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{}content-length: {}\r\n\r\n{body}",
        credentials("alice"),
        body.len()
    );
    assert!(server.exchange(request.as_bytes()).await.starts_with("HTTP/1.1 400"));
    server.stop().await;
}
