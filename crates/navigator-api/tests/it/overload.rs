//! What a slow, large or hostile client can hold: a real server on a real socket.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::cloud::Cloud;

struct Server {
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    running: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let router = Cloud::new().await.router;
        let running = tokio::spawn(navigator_api::serve(listener, router, stopped));
        Self { address, stop, running }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends one request and reads until the server closes.
    async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A server that has refused already may not read the rest.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn answers(&self) -> bool {
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        self.exchange(request).await.starts_with("HTTP/1.1 200")
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(Duration::from_secs(10), self.running)
            .await
            .expect("the server ends")
            .unwrap()
            .unwrap();
    }
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_heads_are_431_and_long_targets_414() {
    let server = Server::start().await;
    let header = |length| format!("x-long: {}\r\n", "a".repeat(length));
    let answer = server.exchange(&head("/", &header(60 << 10))).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = server.exchange(&head("/", &header(65 << 10))).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
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
        let ended = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut rest));
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
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    server.stop().await;
    drop(idle);
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// As many unknown paths as asked for, all different, over one connection.
async fn unknown_paths(server: &Server, numbers: std::ops::Range<u32>) {
    const BATCH: u32 = 100;
    let mut stream = server.connect().await;
    let mut answers = vec![0; 256 << 10];
    let mut next = numbers.start;
    while next < numbers.end {
        let last = (next + BATCH).min(numbers.end);
        let requests: String = (next..last)
            .map(|n| {
                format!(
                    "GET /{:08x}/{n} HTTP/1.1\r\nhost: x\r\n\r\n",
                    n.wrapping_mul(2_654_435_761)
                )
            })
            .collect();
        stream.write_all(requests.as_bytes()).await.unwrap();
        let mut seen = 0;
        let mut tail = String::new();
        while seen < last - next {
            let length = stream.read(&mut answers).await.unwrap();
            assert!(length > 0, "closed early");
            tail.push_str(&String::from_utf8_lossy(&answers[..length]));
            while let Some(at) = tail.find("HTTP/1.1 404") {
                tail.drain(..at + "HTTP/1.1 404".len());
                seen += 1;
            }
        }
        next = last;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_unknown_paths_leave_nothing_in_memory() {
    let server = Server::start().await;
    // What is allocated once.
    unknown_paths(&server, 0..10_000).await;
    let before = resident_kib();
    unknown_paths(&server, 10_000..110_000).await;
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 4096, "grew by {grown} KiB");
    server.stop().await;
}
