//! An answer on its way keeps its connection from being displaced.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Error, body::Body};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::connections::AtWork;

pub(super) struct Held {
    body: Body,
    _at_work: AtWork,
}

impl Held {
    pub(super) fn until_sent(body: Body, at_work: AtWork) -> Body {
        Body::new(Self { body, _at_work: at_work })
    }
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
