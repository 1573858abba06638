//! Which agents serve a router or a network, and what an agent serves: the administrator's way to
//! see where things are and to put them elsewhere, in the form of Neutron's agent schedulers.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{OriginalUri, Path, State},
    http::StatusCode,
    routing::{delete, get},
};
use navigator_resources::{
    Agent, Caller, Context, Facts, Network, Port, Refusal, Resource, Router, Row, Rules, SqlValue,
    Stop, Writes, dhcp_scheduling, l3_scheduling,
    registry::{
        agent::{self, DHCP_AGENT, L3_AGENT},
        port::DHCP_OWNER,
    },
};
use navigator_store::Listing;
use serde_json::Value;

use crate::{
    body, controller,
    fault::Fault,
    listing::Parameters,
    policy::{Access, Guarded, Said},
    present::{Form, JsonText, moment},
    state::{ApiState, now},
};

type Answer = Result<JsonText, Fault>;

/// Clients say `l3-agents`; paths come here normalised.
pub(crate) fn routes() -> Guarded {
    let routers = get(routers_of_agent).post(add_router);
    let networks = get(networks_of_agent).post(add_network);
    let agents = "/v2.0/agents/{id}";
    Guarded::default()
        .route("/v2.0/routers/{id}/l3_agents", [("GET", GET_L3_AGENTS)], get(agents_of_router))
        .route(
            "/v2.0/networks/{id}/dhcp_agents",
            [("GET", GET_DHCP_AGENTS)],
            get(agents_of_network),
        )
        .route(
            &format!("{agents}/l3_routers"),
            [("GET", GET_L3_ROUTERS), ("POST", CREATE_L3_ROUTER)],
            routers,
        )
        .route(
            &format!("{agents}/l3_routers/{{other}}"),
            [("DELETE", DELETE_L3_ROUTER)],
            delete(remove_router),
        )
        .route(
            &format!("{agents}/dhcp_networks"),
            [("GET", GET_DHCP_NETWORKS), ("POST", CREATE_DHCP_NETWORK)],
            networks,
        )
        .route(
            &format!("{agents}/dhcp_networks/{{other}}"),
            [("DELETE", DELETE_DHCP_NETWORK)],
            delete(remove_network),
        )
}

// The rules that decide.
const GET_L3_AGENTS: &str = "get_l3-agents";
const GET_L3_ROUTERS: &str = "get_l3-routers";
const CREATE_L3_ROUTER: &str = "create_l3-router";
const DELETE_L3_ROUTER: &str = "delete_l3-router";
const GET_DHCP_AGENTS: &str = "get_dhcp-agents";
const GET_DHCP_NETWORKS: &str = "get_dhcp-networks";
const CREATE_DHCP_NETWORK: &str = "create_dhcp-network";
const DELETE_DHCP_NETWORK: &str = "delete_dhcp-network";

async fn agents_of_router(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    allowed(&state, &caller, GET_L3_AGENTS)?;
    let router = one::<Router>(&state, &id).await?;
    let hosts = vec![router.text("l3_host").to_owned()];
    let agents = agents_on(&state, L3_AGENT, &hosts).await?;
    let ha_state = ha_state(&state, &router, &agents);
    shown::<Agent>(&state, &caller, uri.query(), agents, &[("ha_state", ha_state)]).await
}

/// One agent at most serves a router. Of a router that is not highly available it is neither active
/// nor standby; of any other it is active while it is heard of.
fn ha_state(state: &ApiState, router: &Row, agents: &[Row]) -> Value {
    let alive = |agent: &Row| {
        let heard = agent.text("heartbeat_timestamp");
        agent::alive(heard, &now(), state.settings.agent_down_time_s)
    };
    match router.get("ha") {
        SqlValue::Bool(true) if agents.iter().any(alive) => "active".into(),
        SqlValue::Bool(true) => "unknown".into(),
        _ => Value::Null,
    }
}

async fn agents_of_network(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    allowed(&state, &caller, GET_DHCP_AGENTS)?;
    one::<Network>(&state, &id).await?;
    let ports = dhcp_ports(&state, ("network_id", &id)).await?;
    let hosts: Vec<_> = ports.iter().map(|port| port.text("host_id").to_owned()).collect();
    let agents = agents_on(&state, DHCP_AGENT, &hosts).await?;
    shown::<Agent>(&state, &caller, uri.query(), agents, &[]).await
}

async fn routers_of_agent(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    allowed(&state, &caller, GET_L3_ROUTERS)?;
    let mut routers = Vec::new();
    if let Some(host) = host_of(&state, &id, L3_AGENT).await? {
        let listing = with(vec![("l3_host", host.into())]);
        routers = state.store.list(Router::declaration(), &listing).await?;
    }
    shown::<Router>(&state, &caller, uri.query(), routers, &[]).await
}

async fn networks_of_agent(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    allowed(&state, &caller, GET_DHCP_NETWORKS)?;
    let mut networks = Vec::new();
    if let Some(host) = host_of(&state, &id, DHCP_AGENT).await? {
        let ports = dhcp_ports(&state, ("host_id", &host)).await?;
        let mut ids: Vec<_> = ports.iter().map(|port| port.text("network_id").to_owned()).collect();
        ids.sort();
        ids.dedup();
        networks = controller::rows::<Network>(&state, &caller, &ids).await?;
    }
    shown::<Network>(&state, &caller, uri.query(), networks, &[]).await
}

/// Decides about an agent (first id) and what it serves (second id).
type Assignment = fn(&str, &str, &Facts, &Context<'_>) -> Result<Writes, Stop>;

async fn decide(
    state: &ApiState,
    caller: &Caller,
    decide: Assignment,
    (agent, other): (&str, &str),
) -> Result<(), Fault> {
    let decided = state
        .store
        .decide(caller, &state.settings, &now(), |facts, context| {
            Ok(((), decide(agent, other, facts, context)?))
        })
        .await?;
    state.wake(decided.1);
    Ok(())
}

/// The id that a POST names: `{"router_id": "…"}`.
fn named(body: &Bytes, name: &str) -> Result<String, Fault> {
    let body = body::object(body)?;
    let id = body.get(name).and_then(Value::as_str).map(str::to_owned);
    id.ok_or_else(|| {
        Fault::bad_request(format!(
            "Failed to parse request. Required attribute '{name}' not specified"
        ))
    })
}

async fn add_router(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Fault> {
    allowed(&state, &caller, CREATE_L3_ROUTER)?;
    let router_id = named(&body, "router_id")?;
    decide(&state, &caller, l3_scheduling::assign, (&id, &router_id)).await?;
    Ok((StatusCode::CREATED, Json(Value::Null)))
}

async fn remove_router(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((id, router_id)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    allowed(&state, &caller, DELETE_L3_ROUTER)?;
    decide(&state, &caller, l3_scheduling::unassign, (&id, &router_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_network(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Fault> {
    allowed(&state, &caller, CREATE_DHCP_NETWORK)?;
    let network_id = named(&body, "network_id")?;
    decide(&state, &caller, dhcp_scheduling::assign, (&id, &network_id)).await?;
    Ok((StatusCode::CREATED, Json(Value::Null)))
}

async fn remove_network(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((id, network_id)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    allowed(&state, &caller, DELETE_DHCP_NETWORK)?;
    decide(&state, &caller, dhcp_scheduling::unassign, (&id, &network_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Nothing of the object is asked: these rules are about where things run.
fn allowed(state: &ApiState, caller: &Caller, rule: &str) -> Result<(), Refusal> {
    state.policy.now().authorize(caller, rule, &Said::default())
}

fn with(conditions: Vec<(&'static str, SqlValue)>) -> Listing {
    Listing { conditions, ..Listing::default() }
}

async fn one<R: Resource>(state: &ApiState, id: &str) -> Result<Row, Fault> {
    let row = state.store.list(R::declaration(), &with(vec![("id", id.into())])).await?.pop();
    row.ok_or_else(|| Refusal::not_found::<R>(id).into())
}

/// The agent's host if the agent is of this type: another serves nothing of the kind.
async fn host_of(state: &ApiState, id: &str, agent_type: &str) -> Result<Option<String>, Fault> {
    let agent = one::<Agent>(state, id).await?;
    Ok((agent.text("agent_type") == agent_type).then(|| agent.text("host").to_owned()))
}

async fn agents_on(
    state: &ApiState,
    agent_type: &str,
    hosts: &[String],
) -> Result<Vec<Row>, Fault> {
    let listing = with(vec![("agent_type", agent_type.into())]);
    let mut agents = state.store.list(Agent::declaration(), &listing).await?;
    agents.retain(|agent| hosts.iter().any(|host| host == agent.text("host")));
    Ok(agents)
}

/// A network is served where its DHCP ports are.
async fn dhcp_ports(
    state: &ApiState,
    (column, value): (&'static str, &str),
) -> Result<Vec<Row>, Fault> {
    let listing = with(vec![("device_owner", DHCP_OWNER.into()), (column, value.into())]);
    Ok(state.store.list(Port::declaration(), &listing).await?)
}

/// Those that the caller may see.
async fn shown<R: Rules>(
    state: &ApiState,
    caller: &Caller,
    query: Option<&str>,
    rows: Vec<Row>,
    more: &[(&'static str, Value)],
) -> Answer {
    let fields = Parameters::parse(query)?.fields();
    let mut access = Access::to::<R>(state, caller);
    let rows = access.seen(rows).await?;
    let mut form = Form::of::<R>();
    more.iter().for_each(|(name, _)| form.give(name));
    let form = form.only(&fields).without(access.hidden(&rows).await?);
    let given: Vec<_> = more.iter().map(|(_, value)| value.to_string().into_bytes()).collect();
    let (moment, mut answer) = (moment(state), JsonText::object(R::declaration().collection));
    answer.text().push(b'[');
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            answer.text().push(b',');
        }
        form.write(index, row, &given, &moment, answer.text())?;
    }
    answer.text().push(b']');
    Ok(answer.end())
}
