//! The agents' endpoints: the HTTP form of [`ControlPlane`]. Closed unless a secret is configured,
//! and then only open to who knows it.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{Query, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::{StreamExt, stream};
use navigator_bus::{BusError, ControlPlane, Wakeup, wire};
use navigator_model::{Fetched, Heartbeat, HostName, Report, Revision, Scope};
use sha2::{Digest, Sha256};
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::wrappers::IntervalStream;

use crate::{
    control_plane::LocalControlPlane,
    receive::{Reception, received},
    serve::Conversation,
    state::ApiState,
};

/// A first report after a restart names every object of a scope: larger than API bodies.
const REPORT_LIMIT: usize = 64 << 20;

type Parameters = Query<HashMap<String, String>>;

/// What is wrong with a request, for the agent's log.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

impl From<BusError> for Refused {
    fn from(error: BusError) -> Self {
        let status = match &error {
            BusError::Refused(_) => StatusCode::CONFLICT,
            BusError::Unreachable(_) | BusError::Malformed(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}

fn bad_request(reason: impl ToString) -> Refused {
    Refused(StatusCode::BAD_REQUEST, reason.to_string())
}

fn parameter<T: std::str::FromStr>(parameters: &Parameters, name: &str) -> Result<T, Refused> {
    parameters
        .get(name)
        .ok_or_else(|| bad_request(format!("{name} is missing")))?
        .parse()
        .map_err(|_| bad_request(format!("{name} is not valid")))
}

fn host(parameters: &Parameters) -> Result<HostName, Refused> {
    let host = parameter::<String>(parameters, wire::HOST_PARAMETER)?;
    storable([&host])?;
    Ok(HostName(host))
}

/// PostgreSQL cannot hold a NUL.
fn storable<'a>(texts: impl IntoIterator<Item = &'a String>) -> Result<(), Refused> {
    match texts.into_iter().find(|text| text.contains('\0')) {
        Some(text) => Err(bad_request(format!("{text:?} has a NUL"))),
        None => Ok(()),
    }
}

async fn snapshot(
    State(plane): State<LocalControlPlane>,
    parameters: Parameters,
) -> Result<Json<Fetched>, Refused> {
    let scope: Scope = parameter(&parameters, wire::SCOPE_PARAMETER)?;
    let since = match parameters.get(wire::SINCE_PARAMETER) {
        Some(_) => Some(Revision(parameter(&parameters, wire::SINCE_PARAMETER)?)),
        None => None,
    };
    Ok(Json(plane.fetch(&host(&parameters)?, &scope, since).await?))
}

async fn revisions(
    State(plane): State<LocalControlPlane>,
    parameters: Parameters,
) -> Result<Json<Vec<(Scope, Revision)>>, Refused> {
    Ok(Json(plane.revisions(&host(&parameters)?).await?))
}

fn line(wakeup: &Wakeup) -> Bytes {
    let mut line = serde_json::to_vec(wakeup).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

async fn wakeups(
    State(plane): State<LocalControlPlane>,
    conversation: Option<Extension<Conversation>>,
    parameters: Parameters,
) -> Result<Response, Refused> {
    let wakeups = plane.wakeups(&host(&parameters)?).await?;
    let listening = plane.listening();
    // The empty line at once tells the agent that it is subscribed: what changes from here on is
    // heard, what changed before shows in the revisions that it asks for next.
    let mut ticks = interval(wire::KEEPALIVE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let keepalive = IntervalStream::new(ticks).map(|_| Some(Bytes::from_static(b"\n")));
    // `None` marks the end: a subscriber that lagged is cut off and compares revisions anew.
    let wakeups = wakeups.map(|wakeup| Some(line(&wakeup))).chain(stream::once(async { None }));
    let lines = stream::select(wakeups, keepalive)
        .take_while(|line| futures::future::ready(line.is_some()))
        .filter_map(|line| futures::future::ready(line.map(Ok::<_, Infallible>)))
        .take_until(async {
            match conversation {
                Some(Extension(conversation)) => conversation.ending().await,
                None => futures::future::pending().await,
            }
        })
        // Counted until the stream is dropped, however it ends.
        .inspect(move |_| _ = &listening);
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

async fn heartbeat(
    State(plane): State<LocalControlPlane>,
    Json(heartbeat): Json<Heartbeat>,
) -> Result<StatusCode, Refused> {
    storable([&heartbeat.host.0, &heartbeat.availability_zone])?;
    storable(
        heartbeat.roles.iter().flat_map(|role| [&role.agent_type, &role.binary, &role.topic]),
    )?;
    plane.heartbeat(heartbeat).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn report(
    State(plane): State<LocalControlPlane>,
    parameters: Parameters,
    Json(report): Json<Report>,
) -> Result<StatusCode, Refused> {
    plane.report(&host(&parameters)?, report).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Compares digests, so that the time taken tells nothing about the secret.
fn knows_secret(request: &Request, secret: &str) -> bool {
    request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|given| Sha256::digest(given) == Sha256::digest(secret))
}

async fn authenticate(
    State(secret): State<Option<Arc<str>>>,
    request: Request,
    next: Next,
) -> Response {
    match secret {
        Some(secret) if knows_secret(&request, &secret) => next.run(request).await,
        Some(_) => Refused(StatusCode::UNAUTHORIZED, "wrong agent secret".into()).into_response(),
        None => {
            Refused(StatusCode::NOT_FOUND, "no agent secret is configured".into()).into_response()
        }
    }
}

pub(crate) fn routes(state: &ApiState) -> Router<ApiState> {
    let reports = Reception { limit: REPORT_LIMIT, room: None };
    Router::new()
        .route(wire::SNAPSHOT_PATH, get(snapshot))
        .route(wire::REVISIONS_PATH, get(revisions))
        .route(wire::WAKEUPS_PATH, get(wakeups))
        .route(wire::HEARTBEAT_PATH, post(heartbeat))
        .route(wire::REPORT_PATH, post(report))
        .layer(middleware::from_fn_with_state(reports, received))
        .layer(middleware::from_fn_with_state(state.agent_secret.clone(), authenticate))
        .with_state(LocalControlPlane::from(state))
}
