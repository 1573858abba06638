//! Requests with large bodies are worked on by threads that give way to all others, if there are any: what
//! takes one of them tens of milliseconds of a processor holds up nobody who asks for little.

use std::panic::resume_unwind;

use axum::response::{IntoResponse as _, Response};
use tokio::runtime::Handle;
use tracing::Instrument as _;

use crate::fault::Fault;

/// Where such work is done. The default does it where it is.
#[derive(Clone, Default)]
pub struct Patient(Option<Handle>);

impl Patient {
    pub fn on(runtime: Handle) -> Self {
        Self(Some(runtime))
    }

    /// Once begun, it is worked on to its end.
    pub(crate) async fn answer(
        &self,
        work: impl Future<Output = Response> + Send + 'static,
    ) -> Response {
        let Some(runtime) = &self.0 else { return work.await };
        match runtime.spawn(work.in_current_span()).await {
            Ok(response) => response,
            Err(ended) if ended.is_panic() => resume_unwind(ended.into_panic()),
            // The server is at its end.
            Err(_) => Fault::Busy.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{self, ThreadId};

    use axum::http::StatusCode;
    use tokio::sync::oneshot;

    use super::*;

    async fn answered(patient: &Patient) -> (StatusCode, ThreadId) {
        let (told, heard) = oneshot::channel();
        let work = async move {
            told.send(thread::current().id()).unwrap();
            StatusCode::CREATED.into_response()
        };
        (patient.answer(work).await.status(), heard.await.unwrap())
    }

    #[test]
    fn a_large_request_is_answered_from_another_thread() {
        let build = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
        let (others, own) = (build().unwrap(), build().unwrap());
        let here = thread::current().id();
        for (patient, elsewhere) in
            [(Patient::default(), false), (Patient::on(others.handle().clone()), true)]
        {
            let (status, thread) = own.block_on(answered(&patient));
            assert_eq!(status, StatusCode::CREATED);
            assert_eq!(thread != here, elsewhere);
        }
    }

    #[test]
    fn what_panics_there_panics_here() {
        let others = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let own = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let patient = Patient::on(others.handle().clone());
        let answered = own.block_on(
            own.spawn(async move { patient.answer(async { panic!("in a request") }).await }),
        );
        assert!(answered.unwrap_err().is_panic());
    }
}
