//! A relay between one server and PostgreSQL that sees every statement before the database does. A
//! gate decides when it may go on, and whether it does.

use std::{io, path::Path, sync::Arc};

use futures::future::BoxFuture;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
};

/// What becomes of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// The connection ends before the database has seen it.
    CutBefore,
    /// The database has seen it; its answer does not arrive.
    CutAfter,
    /// The database refuses it: PostgreSQL itself raises this SQLSTATE in its place.
    Fail(&'static str),
}

/// Asked before each statement, told after its answer.
pub(crate) trait Gate: Send + Sync + 'static {
    /// `executes`: it is no mere preparation.
    fn ask(&self, executes: bool) -> BoxFuture<'_, Verdict>;

    fn answered(&self);
}

const SOCKET: &str = ".s.PGSQL.5432";

/// Runs until its runtime ends.
pub(crate) struct Relay {
    directory: TempDir,
}

impl Relay {
    /// To the server behind this URL.
    pub(crate) fn start(url: &str, gate: Arc<dyn Gate>) -> Self {
        let (_, target) = url.split_once("host=").expect("a URL with a socket's directory");
        let target = Path::new(target).join(SOCKET);
        let directory = TempDir::new().unwrap();
        let listener = UnixListener::bind(directory.path().join(SOCKET)).unwrap();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, gate) = (target.clone(), gate.clone());
                tokio::spawn(async move {
                    // Connections that end are what this is for.
                    if let Ok(server) = UnixStream::connect(target).await {
                        let _ = Wire { client, server, gate }.run().await;
                    }
                });
            }
        });
        Self { directory }
    }

    /// The same database through this relay.
    pub(crate) fn url(&self, url: &str) -> String {
        let (before, _) = url.split_once("host=").expect("a URL with a socket's directory");
        format!("{before}host={}", self.directory.path().display())
    }
}

struct Wire {
    client: UnixStream,
    server: UnixStream,
    gate: Arc<dyn Gate>,
}

impl Wire {
    async fn run(mut self) -> io::Result<()> {
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        while sent.len() < 4 || sent.len() < length(&sent, 0) {
            more(&mut self.client, &mut sent).await?;
        }
        self.server.write_all(&sent).await?;
        sent.clear();
        self.answer(&mut received, true).await?;
        loop {
            // What the database says by itself, such as that it ends the connection.
            let statement = tokio::select! {
                statement = statement(&mut self.client, &mut sent) => statement?,
                read = more(&mut self.server, &mut received) => {
                    read?;
                    self.client.write_all(&received).await?;
                    received.clear();
                    continue;
                }
            };
            let verdict = self.gate.ask(statement.executes).await;
            let done = self.carry_out(verdict, &statement.bytes, &mut received).await;
            self.gate.answered();
            done?;
        }
    }

    async fn carry_out(
        &mut self,
        verdict: Verdict,
        statement: &[u8],
        received: &mut Vec<u8>,
    ) -> io::Result<()> {
        let cut = || Err(io::ErrorKind::ConnectionAborted.into());
        match verdict {
            Verdict::CutBefore => return cut(),
            Verdict::Fail(code) => self.server.write_all(&raise(code)).await?,
            Verdict::Pass | Verdict::CutAfter => self.server.write_all(statement).await?,
        }
        if verdict == Verdict::CutAfter {
            self.answer(received, false).await?;
            return cut();
        }
        self.answer(received, true).await
    }

    /// Everything up to and including "ready for query".
    async fn answer(&mut self, received: &mut Vec<u8>, pass_on: bool) -> io::Result<()> {
        loop {
            let mut ready = false;
            while let Some(end) = message(received) {
                ready |= received[0] == b'Z';
                if pass_on {
                    self.client.write_all(&received[..end]).await?;
                }
                received.drain(..end);
            }
            if ready {
                return Ok(());
            }
            more(&mut self.server, received).await?;
        }
    }
}

struct Statement {
    bytes: Vec<u8>,
    executes: bool,
}

/// All messages up to the one after which the client waits. What was read stays in `sent` should
/// this be dropped.
async fn statement(client: &mut UnixStream, sent: &mut Vec<u8>) -> io::Result<Statement> {
    loop {
        let (mut end, mut executes, mut closes) = (0, false, false);
        while let Some(length) = message(&sent[end..]) {
            let kind = sent[end];
            end += length;
            executes |= kind == b'E';
            closes |= kind == b'C';
            match kind {
                b'X' => return Err(io::ErrorKind::ConnectionAborted.into()),
                b'S' | b'Q' => {
                    let bytes = sent.drain(..end).collect();
                    return Ok(Statement { bytes, executes: executes && !closes });
                }
                _ => {}
            }
        }
        more(client, sent).await?;
    }
}

async fn more(from: &mut UnixStream, into: &mut Vec<u8>) -> io::Result<()> {
    match from.read_buf(into).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn length(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The length of the first message, if it is there completely.
fn message(bytes: &[u8]) -> Option<usize> {
    (bytes.len() >= 5).then(|| 1 + length(bytes, 1)).filter(|length| *length <= bytes.len())
}

fn raise(code: &str) -> Vec<u8> {
    let text = format!("DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'; END $$\0");
    let mut bytes = vec![b'Q'];
    bytes.extend(u32::try_from(text.len() + 4).unwrap().to_be_bytes());
    bytes.extend(text.as_bytes());
    bytes
}
