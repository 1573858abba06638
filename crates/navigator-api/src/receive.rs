//! Reads a request's body, within a limit and in time, after it is known who asks: whoever may ask
//! nothing sends nothing. Handlers find it whole. Never inflated: a body that says it is compressed
//! is taken as it came, and is no JSON.

mod room;

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use navigator_resources::Caller;
use tokio::time::timeout;

use crate::{
    fault::Fault,
    serve::{AtWork, Conversation, closing},
};
use room::Share;

pub(crate) use room::Room;

/// Of requests that came on no connection.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bodies of this many bytes at most, which share some room if there are callers to share it.
#[derive(Clone)]
pub(crate) struct Reception {
    pub(crate) limit: usize,
    pub(crate) room: Option<Room>,
}

/// Until the request is answered: its connection, and the room that its body takes.
#[derive(Default)]
pub(crate) struct Kept {
    _at_work: Option<AtWork>,
    _share: Option<Share>,
}

pub(crate) async fn received(
    State(reception): State<Reception>,
    request: Request,
    next: Next,
) -> Response {
    match reception.receive(request).await {
        Ok((request, _kept)) => next.run(request).await,
        Err(refused) => refused,
    }
}

impl Reception {
    /// The request with its body.
    pub(crate) async fn receive(self, request: Request) -> Result<(Request, Kept), Response> {
        if request.body().is_end_stream() {
            return Ok((request, Kept::default()));
        }
        let extensions = request.extensions();
        let conversation = extensions.get::<Conversation>().cloned();
        let caller = extensions.get::<Caller>().map(|caller| caller.project_id.clone());
        let mut share = self.room.zip(caller).map(|(room, project)| room.share(project));
        let time = conversation.as_ref().map_or(TIMEOUT, |conversation| conversation.body_timeout);
        let (parts, body) = request.into_parts();
        let body = match timeout(time, whole(body, self.limit, share.as_mut())).await {
            Ok(Ok(body)) => body,
            // What is left of the body is not a request.
            Ok(Err(fault)) => return Err(closing(fault.into_response())),
            Err(_) => return Err(closing(Fault::TooSlow.into_response())),
        };
        let at_work = conversation.map(|conversation| conversation.at_work());
        let kept = Kept { _at_work: at_work, _share: share };
        Ok((Request::from_parts(parts, Body::from(body)), kept))
    }
}

async fn whole(
    mut body: Body,
    limit: usize,
    mut share: Option<&mut Share>,
) -> Result<Bytes, Fault> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(Fault::TooLarge);
    }
    let mut takes = |length| share.as_mut().is_none_or(|share| share.reaches(length));
    // Who is refused in the middle has filled what the others need too.
    if !takes(announced) {
        return Err(Fault::Busy);
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let broken = |_| Fault::bad_request("The request's body is not complete");
        // Trailers say nothing here.
        let Ok(part) = frame.map_err(broken)?.into_data() else { continue };
        if whole.len() + part.len() > limit {
            return Err(Fault::TooLarge);
        }
        if !takes(whole.len() + part.len()) {
            return Err(Fault::Busy);
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}
