//! What stands before a real Keystone, on a free port of the loopback: it passes every request on, counts
//! them, and can do what a Keystone in trouble does. It changes nothing of what is said but that each
//! connection is for one request.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::TcpStream,
};

use super::{Fate, Listening, Trials, lock};

struct Shared {
    /// `host:port` of the Keystone.
    target: Mutex<String>,
    trials: Trials,
}

pub(super) struct Front {
    shared: Arc<Shared>,
    listening: Listening,
}

impl Front {
    /// Before `http://host:port`.
    pub(super) fn start(url: &str) -> Self {
        let target = Mutex::new(host(url));
        let shared = Arc::new(Shared { target, trials: Trials::default() });
        let own = Arc::clone(&shared);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listening = Listening::start(listener, move |stream| {
            let shared = Arc::clone(&own);
            async move {
                // Who goes away in between is not ours to complain about.
                let _ = pass_on(&shared, stream).await;
            }
        });
        Self { shared, listening }
    }

    pub(super) fn url(&self) -> String {
        self.listening.url()
    }

    pub(super) fn trials(&self) -> &Trials {
        &self.shared.trials
    }

    /// Stands before another one from now on.
    pub(super) fn lead_to(&self, url: &str) {
        *lock(&self.shared.target) = host(url);
    }
}

fn host(url: &str) -> String {
    url.trim_start_matches("http://").trim_end_matches('/').to_owned()
}

async fn pass_on(shared: &Shared, mut client: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut read = 0;
    let line = loop {
        let more = client.read(&mut buffer[read..]).await?;
        if more == 0 {
            return Ok(());
        }
        read += more;
        if let Some(end) = buffer[..read].windows(2).position(|two| two == b"\r\n") {
            break end + 2;
        }
    };
    let text = String::from_utf8_lossy(&buffer[..line]).into_owned();
    let mut words = text.split([' ', '?']);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match shared.trials.meet(method, path).await {
        Fate::Ended => return Ok(()),
        Fate::Answered(status) => {
            let answer =
                format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            return client.write_all(answer.as_bytes()).await;
        }
        Fate::Served => {}
    }
    let target = lock(&shared.target).clone();
    let mut keystone = TcpStream::connect(target).await?;
    let head = [&buffer[..line], b"connection: close\r\n", &buffer[line..read]].concat();
    keystone.write_all(&head).await?;
    copy_bidirectional(&mut client, &mut keystone).await.map(drop)
}
