//! The whole surface in one place: fixed documents, every resource of the registry, the agents'
//! endpoints, and the layers around them.

use std::{sync::Arc, thread::available_parallelism};

use axum::{
    Router,
    body::HttpBody as _,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
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
    flavors, health, hosting,
    identity::Identity,
    loggable, metrics,
    normalize::normalize,
    patient::Patient,
    policy::{Guarded, GuardedRoute, PolicyInForce, UnregisteredRules},
    qos, quotas,
    receive::{Reception, Room},
    reference, request_id,
    state::ApiState,
    trunks,
    turns::{Kind, Turns, is_large},
    versions,
};

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

/// What is between a request and its handler. One layer: each is a copy of all below it, for every
/// request.
#[derive(Clone)]
struct Gate {
    identity: Arc<Identity>,
    policy: Arc<PolicyInForce>,
    reception: Reception,
    turns: Turns,
    patient: Patient,
}

impl Gate {
    fn of(state: &ApiState) -> Self {
        Self {
            identity: Arc::clone(&state.identity),
            policy: Arc::clone(&state.policy),
            reception: Reception { limit: BODY_LIMIT, room: Some(Room::default()) },
            turns: Turns::on(available_parallelism().map_or(1, usize::from)),
            patient: state.patient.clone(),
        }
    }
}

/// First it is found out who asks, then the body is read, and then the request waits for its project's
/// turn.
async fn admitted(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match gate.identity.caller(&parts).await {
        Ok(caller) => caller,
        Err(fault) => return fault.into_response(),
    };
    request_id::asked_by(&caller.user_id, &caller.project_id.0);
    let project = caller.project_id.clone();
    parts.extensions.insert(gate.policy.now().recognize(caller));
    let (request, _kept) = match gate.reception.receive(Request::from_parts(parts, body)).await {
        Ok(received) => received,
        Err(refused) => return refused,
    };
    let length = request.body().size_hint().lower();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let kind = Kind::of(request.method(), route);
    match gate.turns.taken(&project, kind, length).await {
        Ok(_turn) if is_large(length) => gate.patient.answer(next.run(request)).await,
        Ok(_turn) => next.run(request).await,
        Err(fault) => fault.into_response(),
    }
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
    let neutron = neutron()
        .under(&state.policy.now())?
        .layer(middleware::from_fn_with_state(Gate::of(&state), admitted));
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
        .layer(middleware::from_fn_with_state(Arc::clone(&state.metrics), request_id::observe))
        .with_state(state);
    // Routes are found by the path, so that it is brought into its one form before.
    Ok(Router::new().fallback_service(MapRequest::new(routes, normalize)))
}
