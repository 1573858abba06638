//! What a server does now and then for the database, whoever else does it too. Never ends, never
//! fails: what does not work now is tried again later.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use navigator_store::Store;

const EVERY: Duration = Duration::from_secs(15 * 60);

/// An agent that was cut off for less than this still hears at which revision a scope went.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Run it beside the server until that ends.
pub async fn keep_house(store: Store) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let now = Timestamp::now();
        let text = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        match store.prune(&text(now), &text(now.saturating_sub(KEPT).unwrap_or(now))).await {
            Ok(0) => {}
            Ok(scopes) => tracing::debug!(scopes, "forgot what is long gone"),
            Err(error) => tracing::warn!(%error, "housekeeping failed"),
        }
    }
}
