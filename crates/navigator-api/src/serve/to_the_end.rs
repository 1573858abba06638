//! A client that goes away must not stop a request between its commit and the wake-ups: what has begun is
//! worked on to its end, as part of its connection while that is there, and then as a task of its own. A task
//! for each request from the start would cost every one of them what few need.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

pub(super) struct ToTheEnd<F: Future + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future + Send + 'static> ToTheEnd<F> {
    pub(super) fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F: Future + Send + 'static> Future for ToTheEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Nobody polls what has ended.
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<F: Future + Send + 'static> Drop for ToTheEnd<F> {
    fn drop(&mut self) {
        let Some(work) = self.0.take().filter(|_| !std::thread::panicking()) else { return };
        // Without a runtime the server has ended.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { drop(work.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_goes_on() {
        let (go_on, wait) = oneshot::channel::<()>();
        let (ended, end) = oneshot::channel();
        let work = ToTheEnd::new(async move {
            wait.await.unwrap();
            ended.send(()).unwrap();
        });
        assert!(timeout(Duration::from_millis(1), work).await.is_err());
        go_on.send(()).unwrap();
        end.await.unwrap();
    }

    #[tokio::test]
    async fn whoever_waits_has_the_answer() {
        assert_eq!(ToTheEnd::new(async { 7 }).await, 7);
    }

    #[tokio::test]
    async fn what_has_panicked_is_not_taken_up_again() {
        let work = ToTheEnd::new(async { panic!("in a request") });
        assert!(tokio::spawn(work).await.unwrap_err().is_panic());
    }
}
