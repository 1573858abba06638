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

/// Tasks, each with a connection of its own.
const TASKS: usize = 64;
/// Requests that are sent before the first answer is read.
const PIPELINED: usize = 20;
/// How long they go on, unless NAVIGATOR_FRAMING_REQUESTS says how many are wanted in all.
const LASTS: Duration = Duration::from_secs(10);

/// How many answers a task got, and how many of them were somebody else's.
async fn interleaved(server: &Server, task: usize, goes_on: impl Fn(usize) -> bool) -> [usize; 2] {
    let users = ["alice", "bob"];
    let mut stream = server.connect().await;
    let (mut count, mut wrong) = (0, 0);
    while goes_on(count) {
        // Who asks first and who follows whom differs from one burst to the next.
        let who = |n: usize| users[(task + count / PIPELINED + n * (n + task) / 2) % 2];
        let burst: String = (0..PIPELINED).map(|n| list(who(n), "")).collect();
        stream.write_all(burst.as_bytes()).await.unwrap();
        let mut text = String::new();
        // Each answer ends with its body, which is this list.
        while text.matches("}]}").count() < PIPELINED {
            let mut part = [0; 16 << 10];
            let length = stream.read(&mut part).await.unwrap();
            assert!(length > 0, "closed: {text}");
            text.push_str(std::str::from_utf8(&part[..length]).unwrap());
        }
        let names = text.split("{\"networks\":[").skip(1).map(|rest| rest.split("]}").next());
        let expected = |n| format!("{{\"name\":\"{}\"}}", who(n));
        wrong += names.enumerate().filter(|(n, name)| *name != Some(&*expected(*n))).count();
        count += PIPELINED;
    }
    [count, wrong]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_cve_2014_0105_two_tenants_on_many_connections_only_see_their_own() {
    let server = Server::start().await;
    for user in ["alice", "bob"] {
        let mut stream = server.connect().await;
        stream.write_all(make(user, user).as_bytes()).await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
    }
    let wanted = std::env::var("NAVIGATOR_FRAMING_REQUESTS").ok();
    let wanted: Option<usize> = wanted.map(|text| text.parse().expect("a number"));
    let start = Instant::now();
    let goes_on = |count: usize| match wanted {
        Some(wanted) => count * TASKS < wanted,
        None => count == 0 || start.elapsed() < LASTS,
    };
    let tasks = (0..TASKS).map(|task| interleaved(&server, task, goes_on));
    let [mut count, mut wrong] = [0, 0];
    for [answers, others] in futures::future::join_all(tasks).await {
        count += answers;
        wrong += others;
    }
    println!("{count} answers on {TASKS} connections in {:?}, {wrong} wrong", start.elapsed());
    assert!(count >= TASKS * PIPELINED);
    assert_eq!(wrong, 0);
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
        let ended = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer));
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

/// A line that ends without a return is a line (RFC 9112, 2.2 allows it, and the HTTP library reads it
/// so). That cannot make two requests of one here, where the server is the first to read. Behind a
/// proxy it could, if that one passed such a byte on as a part of a value, which no proxy may; then
/// what a hidden line could say about the body contradicts what the proxy itself says, and ends the
/// connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_ends_without_a_return_hides_no_length() {
    let server = Server::start().await;
    let who = credentials("alice");
    let hidden = make("bob", SMUGGLED);
    for (length, line) in [
        ("content-length: 5", "transfer-encoding: chunked"),
        ("content-length: 5", "content-length: 0"),
        ("transfer-encoding: chunked", "content-length: 0"),
    ] {
        let request = format!(
            "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\n{who}x-hides: a\n{line}\r\n{length}\r\n\r\n\
             0\r\n\r\n{hidden}"
        );
        let answer = server.exchange(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{line}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{line}: {answer}");
    }
    // As it reads: one request with one more field.
    let plain = format!("GET / HTTP/1.1\nhost: x\nconnection: close\n{who}\r\n");
    let answer = server.exchange(plain.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer}");
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
