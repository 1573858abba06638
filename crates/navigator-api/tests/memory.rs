//! What requests leave behind in the server's memory. A program of its own: the figure is the whole
//! process's, so no other test may run in it.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "made for the tests that ask more of it")]
#[path = "it/cloud.rs"]
mod cloud;
#[allow(dead_code, reason = "made for the tests that ask more of it")]
#[path = "it/server.rs"]
mod server;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use server::Server;

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
async fn sec_cve_2021_40797_a_hundred_thousand_unknown_paths_leave_nothing_in_memory() {
    let server = Server::start().await;
    // What is allocated once.
    unknown_paths(&server, 0..10_000).await;
    // What leaves something behind does so each time; something else may grow once.
    let mut grown = u64::MAX;
    for first in [10_000, 110_000] {
        let before = resident_kib();
        unknown_paths(&server, first..first + 100_000).await;
        grown = grown.min(resident_kib().saturating_sub(before));
    }
    assert!(grown < 4096, "grew by {grown} KiB");
    server.stop().await;
}
