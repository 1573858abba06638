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
    address_usage, agent_endpoints, auto_topology, availability_zones,
    body::BODY_LIMIT,
    controller, extensions,
    fault::Fault,
    flavors, health, hosting, loggable, metrics,
    normalize::normalize,
    policy::{Guarded, GuardedRoute, UnregisteredRules},
    qos, quotas,
    receive::{Reception, Room, received},
    reference, request_id,
    state::ApiState,
    trunks,
    turns::{self, Turns},
    versions,
};

/// Longer request targets are refused, in bytes.
const URI_LIMIT: usize = 32 * 1024;

struct Mount(Guarded);

impl Visitor for Mount {
    fn visit<R: Rules>(&mut self) {
        let declaration = R::declaration();
        let collection = declaration.url("{parent}");
        let member = format!("{collection}/{{id}}");
        let rule = |verb: &str| format!("{verb}_{}", declaration.policy_name());
        let mut many = get(controller::list::<R>);
        let mut one = get(controller::show::<R>);
        let mut rules_of_many = vec![("GET", rule("get"))];
        let mut rules_of_one = vec![("GET", rule("get"))];
        if declaration.verbs.create {
            many = many.post(controller::create::<R>);
            rules_of_many.push(("POST", rule("create")));
        }
        if declaration.verbs.update {
            one = one.put(controller::update::<R>);
            rules_of_one.push(("PUT", rule("update")));
        }
        if declaration.verbs.delete {
            one = one.delete(controller::delete::<R>);
            rules_of_one.push(("DELETE", rule("delete")));
        }
        let mut routes = std::mem::take(&mut self.0).route(&collection, rules_of_many, many).route(
            &member,
            rules_of_one,
            one,
        );
        for action in R::actions() {
            let run = move |state, caller, ids, headers, body| {
                controller::act::<R>(action, state, caller, ids, headers, body)
            };
            let path = format!("{member}/{}", action.name);
            routes = routes.route(&path, [("PUT", action.name)], put(run));
        }
        if declaration.tags {
            routes = controller::tags::mount::<R>(routes, &member);
        }
        self.0 = routes;
    }
}

async fn identify(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match state.identity.caller(&parts).await {
        Ok(caller) => {
            request_id::asked_by(&caller.user_id, &caller.project_id.0);
            parts.extensions.insert(state.policy.now().recognize(caller));
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
    next.run(request).await
}

async fn unknown() -> Fault {
    Fault::not_found()
}

async fn not_allowed() -> Fault {
    Fault::MethodNotAllowed
}

/// The API: every resource of the registry, and the documents beside them.
fn neutron() -> Guarded {
    let mut mount = Mount(Guarded::default());
    visit_all(&mut mount);
    mount
        .0
        .open("/v2.0", get(versions::resources))
        .open("/v2.0/extensions", get(extensions::list))
        .open("/v2.0/extensions/{alias}", get(extensions::show))
        .merge(availability_zones::routes())
        .merge(hosting::routes())
        .merge(address_usage::routes())
        .merge(auto_topology::routes())
        .merge(quotas::routes())
        .merge(qos::routes())
        .merge(loggable::routes())
        .merge(trunks::routes())
        .merge(flavors::routes())
}

/// Every route below `/v2.0` with the rule that decides on it.
pub fn guarded_routes() -> Vec<GuardedRoute> {
    neutron().into_known()
}

/// Every route of the server. Those of the API are under rules that exist.
pub fn router(state: ApiState) -> Result<Router, UnregisteredRules> {
    let reception = Reception { limit: BODY_LIMIT, room: Some(Room::default()) };
    let neutron = neutron()
        .under(&state.policy.now())?
        .layer(middleware::from_fn_with_state(Turns::default(), turns::taken))
        .layer(middleware::from_fn_with_state(reception, received))
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
        // Bodies have been read where handlers ask for them.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(bounded))
        .layer(middleware::from_fn_with_state(state.clone(), request_id::observe))
        .with_state(state);
    // Routes are found by the path, so that it is brought into its one form before.
    Ok(Router::new().fallback_service(MapRequest::new(routes, normalize)))
}
