//! Which agents serve a router or a network, and what an agent serves: the administrator's way to
//! see where things are and to put them elsewhere, in the form of Neutron's agent schedulers.

use axum::{
    Extension, Json, Router as Routes,
    body::Bytes,
    extract::{OriginalUri, Path, State},
    http::StatusCode,
    routing::{delete, get},
};
use navigator_resources::{
    Agent, Caller, Context, Facts, Network, Port, Refusal, Resource, Router, Row, Rules, SqlValue,
    Stop, Writes, dhcp_scheduling, l3_scheduling,
    registry::{
        agent::{DHCP_AGENT, L3_AGENT},
        port::DHCP_OWNER,
    },
};
use navigator_store::Listing;
use serde_json::{Value, json};

use crate::{
    body, controller,
    fault::Fault,
    listing::Parameters,
    present::{View, present},
    state::{ApiState, now},
};

type Answer = Result<Json<Value>, Fault>;

/// Clients say `l3-agents`; paths come here normalised.
pub(crate) fn routes() -> Routes<ApiState> {
    Routes::new()
        .route("/v2.0/routers/{id}/l3_agents", get(agents_of_router))
        .route("/v2.0/agents/{id}/l3_routers", get(routers_of_agent).post(add_router))
        .route("/v2.0/agents/{id}/l3_routers/{other}", delete(remove_router))
        .route("/v2.0/networks/{id}/dhcp_agents", get(agents_of_network))
        .route("/v2.0/agents/{id}/dhcp_networks", get(networks_of_agent).post(add_network))
        .route("/v2.0/agents/{id}/dhcp_networks/{other}", delete(remove_network))
}

async fn agents_of_router(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    administrator(&caller, "get_l3-agents")?;
    let router = one::<Router>(&state, &id).await?;
    let hosts = vec![router.text("l3_host").to_owned()];
    let agents = agents_on(&state, L3_AGENT, &hosts).await?;
    // Not of a highly available router, so it is neither active nor standby.
    shown::<Agent>(&state, &caller, uri.query(), &agents, &[("ha_state", Value::Null)])
}

async fn agents_of_network(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    administrator(&caller, "get_dhcp-agents")?;
    one::<Network>(&state, &id).await?;
    let ports = dhcp_ports(&state, ("network_id", &id)).await?;
    let hosts: Vec<_> = ports.iter().map(|port| port.text("host_id").to_owned()).collect();
    let agents = agents_on(&state, DHCP_AGENT, &hosts).await?;
    shown::<Agent>(&state, &caller, uri.query(), &agents, &[])
}

async fn routers_of_agent(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    administrator(&caller, "get_l3-routers")?;
    let mut routers = Vec::new();
    if let Some(host) = host_of(&state, &id, L3_AGENT).await? {
        let listing = with(vec![("l3_host", host.into())]);
        routers = state.store.list(Router::declaration(), &listing).await?;
    }
    shown::<Router>(&state, &caller, uri.query(), &routers, &[])
}

async fn networks_of_agent(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    administrator(&caller, "get_dhcp-networks")?;
    let mut networks = Vec::new();
    if let Some(host) = host_of(&state, &id, DHCP_AGENT).await? {
        let ports = dhcp_ports(&state, ("host_id", &host)).await?;
        let mut ids: Vec<_> = ports.iter().map(|port| port.text("network_id").to_owned()).collect();
        ids.sort();
        ids.dedup();
        networks = controller::rows::<Network>(&state, &ids).await?;
    }
    shown::<Network>(&state, &caller, uri.query(), &networks, &[])
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
    administrator(&caller, "create_l3-router")?;
    let router_id = named(&body, "router_id")?;
    decide(&state, &caller, l3_scheduling::assign, (&id, &router_id)).await?;
    Ok((StatusCode::CREATED, Json(Value::Null)))
}

async fn remove_router(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((id, router_id)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    administrator(&caller, "delete_l3-router")?;
    decide(&state, &caller, l3_scheduling::unassign, (&id, &router_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_network(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Fault> {
    administrator(&caller, "create_dhcp-network")?;
    let network_id = named(&body, "network_id")?;
    decide(&state, &caller, dhcp_scheduling::assign, (&id, &network_id)).await?;
    Ok((StatusCode::CREATED, Json(Value::Null)))
}

async fn remove_network(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((id, network_id)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    administrator(&caller, "delete_dhcp-network")?;
    decide(&state, &caller, dhcp_scheduling::unassign, (&id, &network_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn administrator(caller: &Caller, action: &str) -> Result<(), Refusal> {
    if caller.is_admin {
        return Ok(());
    }
    Err(Refusal::PolicyNotAuthorized { action: action.to_owned() })
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

fn shown<R: Rules>(
    state: &ApiState,
    caller: &Caller,
    query: Option<&str>,
    rows: &[Row],
    more: &[(&str, Value)],
) -> Answer {
    let fields = Parameters::parse(query)?.fields();
    let view = View::of(state, caller);
    let mut items = Vec::new();
    for row in rows {
        let mut item = present::<R>(row, &view, &fields)?;
        for (name, value) in more {
            if fields.as_ref().is_none_or(|fields| fields.contains(*name)) {
                item[*name] = value.clone();
            }
        }
        items.push(item);
    }
    Ok(Json(json!({ R::declaration().collection: items })))
}
