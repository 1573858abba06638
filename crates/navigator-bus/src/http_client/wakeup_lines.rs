//! Bytes of the wake-up stream in, wake-ups out. Ends at the first sign of trouble (silence, a
//! broken line, an error): the agent reconnects and compares revisions, so nothing is lost by it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream, stream::BoxStream};
use http_body_util::BodyExt;
use hyper::body::Body;

use crate::Wakeup;

/// No wake-up is nearly this long.
const LINE_LIMIT: usize = 64 << 10;

struct Lines<B> {
    body: B,
    silence: Duration,
    buffer: BytesMut,
}

pub(super) fn stream<B>(body: B, silence: Duration) -> BoxStream<'static, Wakeup>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let lines = Lines { body, silence, buffer: BytesMut::new() };
    stream::unfold(lines, |mut lines| async { lines.next().await.map(|item| (item, lines)) })
        .boxed()
}

impl<B: Body<Data = Bytes> + Unpin> Lines<B> {
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use navigator_model::{Fetched, Revision, Scope};
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;

    const ROUTER: &str = "router/6a3d7a0e-0000-4000-8000-000000000001";

    /// What is heard of these bytes, which come in these parts.
    fn heard(parts: Vec<Vec<u8>>) -> Vec<Wakeup> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let frames = parts.into_iter().map(|part| Ok::<_, Infallible>(Frame::data(part.into())));
        let body = StreamBody::new(stream::iter(frames.collect::<Vec<_>>()));
        runtime.block_on(stream(body, Duration::from_secs(60)).collect())
    }

    fn lines(count: usize) -> Vec<u8> {
        let wakeup: Wakeup =
            serde_json::from_value(serde_json::json!({"scope": ROUTER, "revision": 7})).unwrap();
        let line = [serde_json::to_vec(&wakeup).unwrap(), b"\n\n".to_vec()].concat();
        line.repeat(count)
    }

    proptest! {
        #[test]
        fn fuzz_lines_do_not_depend_on_how_they_come(
            count in 0..5_usize,
            changes in vec((any::<Index>(), any::<u8>()), 0..3),
            cuts in vec(any::<Index>(), 0..6),
        ) {
            let mut bytes = lines(count);
            let sound = changes.is_empty();
            for (at, value) in changes {
                if count > 0 {
                    let at = at.index(bytes.len());
                    bytes[at] = value;
                }
            }
            let whole = heard(vec![bytes.clone()]);
            prop_assert!(!sound || whole.len() == count);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut parts = Vec::new();
            for cut in cuts.into_iter().rev() {
                parts.push(bytes.split_off(cut));
            }
            parts.push(bytes);
            parts.reverse();
            prop_assert_eq!(heard(parts), whole);
        }

        #[test]
        fn fuzz_any_bytes_are_heard_or_not(parts in vec(vec(any::<u8>(), 0..60), 0..6)) {
            heard(parts);
        }

        #[test]
        fn fuzz_names_of_scopes_come_back(text in prop_oneof![
            any::<String>(),
            "(router|network|host|)/?[-0-9a-f]{0,40}",
        ]) {
            if let Ok(scope) = text.parse::<Scope>() {
                prop_assert_eq!(scope.to_string().parse::<Scope>().ok(), Some(scope));
            }
        }

        #[test]
        fn fuzz_answers_to_agents(changes in vec((any::<Index>(), any::<u8>()), 0..6)) {
            let fetched = serde_json::json!({"revision": 3, "snapshot": {"router": {}}});
            let mut bytes = fetched.to_string().into_bytes();
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = serde_json::from_slice::<Fetched>(&bytes);
            let _ = serde_json::from_slice::<Vec<(Scope, Revision)>>(&bytes);
        }
    }
}
