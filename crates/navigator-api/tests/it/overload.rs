//! What a slow, large or hostile client can hold: a real server on a real socket.

use std::time::{Duration, Instant};

use navigator_api::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::server::Server;

fn head(path: &str, further: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{further}\r\n").into_bytes()
}

/// "admin:admin"
const CREDENTIALS: &str = "authorization: Basic YWRtaW46YWRtaW4=\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_says_or_turns_out_to_be_over_one_mebibyte_is_413() {
    let server = Server::start().await;
    let post = |length: &str| {
        format!(
            "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{CREDENTIALS}{length}\r\n\r\n"
        )
    };
    let body = vec![b' '; (1 << 20) + 1];
    let mut said = post(&format!("content-length: {}", body.len())).into_bytes();
    said.extend(&body);
    let mut chunked = post("transfer-encoding: chunked").into_bytes();
    chunked.extend(format!("{:x}\r\n", body.len()).into_bytes());
    chunked.extend(&body);
    chunked.extend(b"\r\n0\r\n\r\n");
    for request in [said, chunked] {
        let answer = server.exchange(&request).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    assert!(server.answers().await);
    server.stop().await;
}

/// From the answer to the end of its connection.
async fn end_after_answer(server: &Server, request: &[u8], status: &str) -> Duration {
    let mut stream = server.connect().await;
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") && !answer.ends_with(b"}") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "ended without an answer");
    }
    let answered = Instant::now();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
    let _ = stream.read_to_end(&mut answer).await;
    answered.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_unread_has_his_answer_before_the_end() {
    const LINGERS: Duration = Duration::from_millis(100);
    let server = Server::start().await;
    let many: String = (0..200).map(|n| format!("x-{n}: a\r\n")).collect();
    let large = format!(
        "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\n{CREDENTIALS}content-length: 9999999\r\n\r\n"
    );
    for (request, status) in [
        (head("/", &many), "431"),
        (head("/", &format!("x: {}\r\n", "a".repeat(33 << 10))), "431"),
        (head(&format!("/?{}", "a".repeat(66 << 10)), ""), "414"),
        (b"no request\r\n\r\n".to_vec(), "400"),
        (large.into_bytes(), "413"),
    ] {
        // Who reads his answer late sees less of it.
        let mut ends: Vec<Duration> = Vec::new();
        while ends.iter().all(|end| *end <= LINGERS / 2) {
            assert!(ends.len() < 10, "{status}: {ends:?}");
            ends.push(end_after_answer(&server, &request, status).await);
        }
    }
    // Who asked for the end has it at once, also when what he wants is not there.
    for (path, status) in [("/", "200"), ("/nowhere", "404")] {
        let mut ends = Vec::new();
        for _ in 0..10 {
            ends.push(end_after_answer(&server, &head(path, CREDENTIALS), status).await);
        }
        assert!(ends.iter().any(|end| *end < LINGERS), "{ends:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_heads_are_431_and_long_targets_414() {
    let server = Server::start().await;
    let header = |length| format!("x-long: {}\r\n", "a".repeat(length));
    let answer = server.exchange(&head("/", &header(31 << 10))).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for length in [33 << 10, 80 << 10] {
        let answer = server.exchange(&head("/", &header(length))).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let many: String = (0..200).map(|n| format!("x-{n}: a\r\n")).collect();
    let answer = server.exchange(&head("/", &many)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let target = format!("/v2.0/networks?{}", "a".repeat(33 << 10));
    let answer = server.exchange(&head(&target, CREDENTIALS)).await;
    assert!(answer.starts_with("HTTP/1.1 414"), "{answer}");
    assert!(server.answers().await);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_its_head_slowly_is_cut_off_and_disturbs_nobody() {
    let server = Server::start().await;
    let start = Instant::now();
    let mut slow = Vec::new();
    // One says nothing at all, the others some of it.
    slow.push((server.connect().await, ""));
    for part in [
        "P",
        "PRI * HTTP/2.0\r\n",
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nx-slow: ",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(part.as_bytes()).await.unwrap();
        slow.push((stream, part));
    }
    assert!(server.answers().await);
    for (mut stream, part) in slow {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut rest));
        assert!(ended.await.is_ok(), "still open after {:?}: {part:?}", start.elapsed());
    }
    assert!(start.elapsed() >= Duration::from_secs(9), "{:?}", start.elapsed());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_idle_connections_neither_hold_up_others_nor_the_end() {
    let server = Server::start().await;
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(server.connect().await);
    }
    let start = Instant::now();
    assert!(server.answers().await);
    // Less than the idle ones have until they are cut off.
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    server.stop().await;
    drop(idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_comes_too_slowly_is_408_and_one_in_time_is_taken() {
    let limits = Limits { body: Duration::from_secs(2), ..Limits::default() };
    let server = Server::with(limits).await;
    let body = r#"{"network": {"name": "late"}}"#;
    let post = |length: usize| {
        format!(
            "POST /v2.0/networks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{CREDENTIALS}\
             content-length: {length}\r\n\r\n"
        )
    };
    let mut late = server.connect().await;
    late.write_all(format!("{}{body}", post(body.len() + 1)).as_bytes()).await.unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    server.stop().await;
    // With the usual time: two seconds may be too short for a busy machine.
    let server = Server::start().await;
    let mut timely = server.connect().await;
    timely.write_all(post(body.len()).as_bytes()).await.unwrap();
    timely.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timely.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_too_many_displaces_one_that_waits_and_none_that_works() {
    let server = Server::with(Limits { connections: 3, ..Limits::default() }).await;
    let mut agent = server.connect().await;
    let listen = "GET /agent/v1/wakeups?host=h HTTP/1.1\r\nhost: x\r\n\
                  authorization: Bearer secret\r\n\r\n";
    agent.write_all(listen.as_bytes()).await.unwrap();
    assert!(agent.read(&mut [0; 512]).await.unwrap() > 0, "the agent listens");
    let mut idle = server.connect().await;
    // Each of these makes one too many; they are done one after the other.
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(server.connect().await);
        assert!(server.answers().await);
    }
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0, "displaced");
    // The stream goes on: its empty lines come each second.
    for _ in 0..2 {
        assert!(agent.read(&mut [0; 512]).await.unwrap() > 0, "the agent still listens");
    }
    server.stop().await;
}
