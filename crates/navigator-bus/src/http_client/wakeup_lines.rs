//! Bytes of the wake-up stream in, wake-ups out. Ends at the first sign of trouble (silence, a
//! broken line, an error): the agent reconnects and compares revisions, so nothing is lost by it.

use std::time::Duration;

use bytes::BytesMut;
use futures::{StreamExt, stream, stream::BoxStream};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::Wakeup;

/// No wake-up is nearly this long.
const LINE_LIMIT: usize = 64 << 10;

struct Lines {
    body: Incoming,
    silence: Duration,
    buffer: BytesMut,
}

pub(super) fn stream(body: Incoming, silence: Duration) -> BoxStream<'static, Wakeup> {
    let lines = Lines { body, silence, buffer: BytesMut::new() };
    stream::unfold(lines, |mut lines| async { lines.next().await.map(|item| (item, lines)) })
        .boxed()
}

impl Lines {
    async fn next(&mut self) -> Option<Wakeup> {
        loop {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return match serde_json::from_slice(&line) {
                    Ok(wakeup) => Some(wakeup),
                    Err(error) => {
                        tracing::warn!(%error, "a wake-up is not readable: reconnecting");
                        None
                    }
                };
            }
            self.fill().await?;
        }
    }

    /// `None` when the stream is over or counts as lost.
    async fn fill(&mut self) -> Option<()> {
        let frame = tokio::time::timeout(self.silence, self.body.frame()).await.ok()??.ok()?;
        if let Some(data) = frame.data_ref() {
            self.buffer.extend_from_slice(data);
        }
        (self.buffer.len() <= LINE_LIMIT || self.buffer.contains(&b'\n')).then_some(())
    }
}
