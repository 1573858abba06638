//! The whole surface in one place: fixed documents, every resource of the registry, the agents'
//! endpoints, and the layers around them.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use navigator_resources::{Rules, Visitor, visit_all};
use tower::util::MapRequest;

use crate::{
    address_usage, agent_endpoints, auto_topology, availability_zones, body::BODY_LIMIT,
    controller, extensions, fault::Fault, health, hosting, loggable, metrics, normalize::normalize,
    qos, quotas, reference, request_id, state::ApiState, versions,
};

/// Longer request targets are refused, in bytes.
const URI_LIMIT: usize = 32 * 1024;

struct Mount(Router<ApiState>);

impl Visitor for Mount {
    fn visit<R: Rules>(&mut self) {
        let declaration = R::declaration();
        let collection = declaration.url("{parent}");
        let member = format!("{collection}/{{id}}");
        let mut many = get(controller::list::<R>);
        let mut one = get(controller::show::<R>);
        if declaration.verbs.create {
            many = many.post(controller::create::<R>);
        }
        if declaration.verbs.update {
            one = one.put(controller::update::<R>);
        }
        if declaration.verbs.delete {
            one = one.delete(controller::delete::<R>);
        }
        let mut router = std::mem::take(&mut self.0).route(&collection, many).route(&member, one);
        for action in R::actions() {
            let run = move |state, caller, ids, headers, body| {
                controller::act::<R>(action, state, caller, ids, headers, body)
            };
            router = router.route(&format!("{member}/{}", action.name), put(run));
        }
        if declaration.tags {
            router = controller::tags::mount::<R>(router, &member);
        }
        self.0 = router;
    }
}

async fn identify(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match state.identity.caller(&parts).await {
        Ok(caller) => {
            request_id::asked_by(&caller.user_id, &caller.project_id.0);
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(fault) => fault.into_response(),
    }
}

async fn bounded(request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > URI_LIMIT {
        return Fault::UriTooLong.into_response();
    }
    let response = next.run(request).await;
    // The body limit's own answer is plain text.
    if response.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        return Fault::TooLarge.into_response();
    }
    response
}

async fn unknown() -> Fault {
    Fault::not_found()
}

async fn not_allowed() -> Fault {
    Fault::MethodNotAllowed
}

/// Every route of the server.
pub fn router(state: ApiState) -> Router {
    let mut mount = Mount(Router::new());
    visit_all(&mut mount);
    let neutron = mount
        .0
        .route("/v2.0", get(versions::resources))
        .route("/v2.0/extensions", get(extensions::list))
        .route("/v2.0/extensions/{alias}", get(extensions::show))
        .route("/v2.0/availability_zones", get(availability_zones::list))
        .merge(hosting::routes())
        .merge(address_usage::routes())
        .merge(auto_topology::routes())
        .merge(quotas::routes())
        .merge(qos::routes())
        .merge(loggable::routes())
        .layer(middleware::from_fn_with_state(state.clone(), identify));
    let routes = Router::new()
        .route("/", get(versions::versions))
        // The suffix `.json` is taken off every path.
        .route("/openapi", get(reference::serve))
        .route("/metrics", get(metrics::show))
        .merge(health::routes())
        .merge(neutron)
        .merge(agent_endpoints::routes(&state))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(bounded))
        .layer(middleware::from_fn_with_state(state.clone(), request_id::observe))
        .with_state(state);
    // Routes are found by the path, so that it is brought into its one form before.
    Router::new().fallback_service(MapRequest::new(routes, normalize))
}
