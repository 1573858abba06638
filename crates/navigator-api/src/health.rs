//! `/healthcheck`: whether this server should be sent requests. Ready is who reaches the database and
//! finds there all of the schema that this version wants. `/healthcheck/live`: the process answers.
//!
//! Anybody may ask, as often as they like: the database is asked once a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use navigator_store::Store;
use tokio::sync::Mutex;

use crate::{fault::RETRY_AFTER_S, state::ApiState};

/// How long an answer of the database is good for.
const FRESH: Duration = Duration::from_secs(1);
/// A database that takes longer is not one to send requests to.
const LIMIT: Duration = Duration::from_secs(2);

type Verdict = Result<(), String>;

#[derive(Clone, Default)]
struct Latest(Arc<Mutex<Option<(Instant, Verdict)>>>);

impl Latest {
    /// Whoever comes while the database is asked waits for that answer.
    async fn verdict(&self, store: &Store) -> Verdict {
        let mut latest = self.0.lock().await;
        if let Some((at, verdict)) = &*latest
            && at.elapsed() < FRESH
        {
            return verdict.clone();
        }
        let verdict = ask(store).await;
        *latest = Some((Instant::now(), verdict.clone()));
        verdict
    }
}

async fn ask(store: &Store) -> Verdict {
    let schema = match tokio::time::timeout(LIMIT, store.schema()).await {
        Ok(Ok(schema)) => schema,
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            return Err("the database cannot be reached".to_owned());
        }
        Err(_) => return Err(format!("the database did not answer within {LIMIT:?}")),
    };
    // A newer schema is fine: another server was upgraded first.
    if schema.is_current() {
        return Ok(());
    }
    Err(format!("the database's schema lacks {}", schema.missing.join(", ")))
}

/// Routes that need no identity.
pub(crate) fn routes() -> Router<ApiState> {
    let latest = Latest::default();
    let ready = async move |State(state): State<ApiState>| -> Response {
        match latest.verdict(&state.store).await {
            Ok(()) => "OK\n".into_response(),
            Err(reason) => {
                let later = [(header::RETRY_AFTER, RETRY_AFTER_S)];
                (StatusCode::SERVICE_UNAVAILABLE, later, reason + "\n").into_response()
            }
        }
    };
    Router::new().route("/healthcheck", get(ready)).route("/healthcheck/live", get(async || "OK\n"))
}
