//! `/v2.0/network-ip-availabilities` and `/v2.0/floatingip_pools`: what the tables of networks,
//! subnets and addresses say from another side. Only reads.
//!
//! A network of IPv6 has more addresses than 64 bits can count, and JSON values in memory hold no
//! larger numbers: what is counted is written to the answer directly.

use std::collections::{BTreeMap, HashMap};

use axum::{
    Extension, Json,
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, Uri},
    routing::get,
};
use navigator_policy::Outcome;
use navigator_resources::{
    AttributeValue as _, Caller, Refusal, Resource, SqlValue,
    address_usage::{AddressCounts, FloatingIpPool, NetworkUsage, SubnetUsage},
    registry::subnet::IpVersion,
};
use navigator_store::Listing;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    fault::Fault,
    listing::{self, Parameters},
    page::Page,
    policy::{Access, Guarded},
    present::Fields,
    state::ApiState,
};

pub(crate) fn routes() -> Guarded {
    let rule = [("GET", "get_network_ip_availability")];
    Guarded::default()
        .route("/v2.0/network_ip_availabilities", rule, get(list))
        .route("/v2.0/network_ip_availabilities/{id}", rule, get(show))
        .route("/v2.0/floatingip_pools", [("GET", "get_floatingip_pool")], get(pools))
}

/// Networks per statement that loads their subnets.
const CHUNK: usize = 1000;

/// A part of an answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Cell {
    Plain(Value),
    Number(u128),
    One(Object),
    Many(Vec<Object>),
}

type Object = BTreeMap<String, Cell>;
type Answer = Result<Json<BTreeMap<&'static str, Cell>>, Fault>;

fn object(map: Map<String, Value>) -> Object {
    map.into_iter().map(|(name, value)| (name, Cell::Plain(value))).collect()
}

async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Answer {
    let declaration = NetworkUsage::declaration();
    let mut access = Access::to::<NetworkUsage>(&state, &caller);
    let (listing, versions, fields) = wanted(&uri, &access)?;
    let mut answer = BTreeMap::new();
    let mut items = Vec::new();
    if access.always(&access.rule("get")) != Outcome::Deny {
        let page = Page::load(&state, declaration, &listing).await?;
        let links = page.links("id", &uri, &headers);
        let rows = access.seen(page.rows).await?;
        let networks = rows.iter().map(NetworkUsage::from_row).collect::<Result<Vec<_>, _>>()?;
        items = counted(&state, &networks, &versions, &fields).await?;
        if !links.is_empty() {
            let links = Cell::Plain(Value::Array(links));
            answer.insert("network_ip_availabilities_links", links);
        }
    }
    answer.insert(declaration.collection, Cell::Many(items));
    Ok(Json(answer))
}

async fn show(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    let declaration = NetworkUsage::declaration();
    let fields = Parameters::parse(uri.query())?.fields();
    let conditions = vec![("id", SqlValue::from(id.as_str()))];
    let row = Access::to::<NetworkUsage>(&state, &caller).find(conditions).await?;
    let networks = row.iter().map(NetworkUsage::from_row).collect::<Result<Vec<_>, _>>()?;
    let found = counted(&state, &networks, &[], &fields).await?.pop();
    let found = found.ok_or_else(|| Refusal::not_found::<NetworkUsage>(id))?;
    Ok(Json(BTreeMap::from([(declaration.name, Cell::One(found))])))
}

/// What the query asks for: networks, and subnets of these IP versions (of all if there are none).
fn wanted(uri: &Uri, access: &Access<'_>) -> Result<(Listing, Vec<IpVersion>, Fields), Fault> {
    let mut parameters = Parameters::parse(uri.query())?;
    let mut versions = Vec::new();
    for text in parameters.take("ip_version") {
        let version = IpVersion::from_json(&Value::from(text));
        versions.push(version.map_err(|reason| Refusal::invalid("ip_version", reason))?);
    }
    let declaration = NetworkUsage::declaration();
    let mut listing = listing::listing(declaration, &parameters, access, &|_| None)?;
    listing.visible_to = None;
    match versions.as_slice() {
        [] => {}
        [first, rest @ ..] if rest.iter().all(|version| version == first) => {
            let column = match first {
                IpVersion::V4 => "has_ipv4",
                IpVersion::V6 => "has_ipv6",
            };
            listing.conditions.push((column, true.into()));
        }
        _ => listing.conditions.push(("has_subnets", true.into())),
    }
    Ok((listing, versions, parameters.fields()))
}

async fn counted(
    state: &ApiState,
    networks: &[NetworkUsage],
    versions: &[IpVersion],
    fields: &Fields,
) -> Result<Vec<Object>, Fault> {
    let mut subnets: HashMap<_, Vec<SubnetUsage>> = HashMap::new();
    for chunk in networks.chunks(CHUNK) {
        for subnet in subnets_of(state, chunk).await? {
            if versions.is_empty() || versions.contains(&subnet.ip_version) {
                subnets.entry(subnet.network_id).or_default().push(subnet);
            }
        }
    }
    let counted = networks.iter().map(|network| {
        let mut shown = summed(network, &subnets.remove(&network.id).unwrap_or_default());
        if let Some(fields) = fields {
            shown.retain(|name, _| fields.contains(name));
        }
        shown
    });
    Ok(counted.collect())
}

async fn subnets_of(
    state: &ApiState,
    networks: &[NetworkUsage],
) -> Result<Vec<SubnetUsage>, Fault> {
    let declaration = SubnetUsage::declaration();
    let Some(attribute) = declaration.attribute("network_id") else { return Ok(Vec::new()) };
    let ids = networks.iter().map(|network| Some(network.id.to_sql())).collect();
    let listing = Listing { filters: vec![(attribute, ids)], ..Listing::default() };
    let rows = state.store.list(declaration, &listing).await?;
    Ok(rows.iter().map(SubnetUsage::from_row).collect::<Result<_, _>>()?)
}

fn summed(network: &NetworkUsage, subnets: &[SubnetUsage]) -> Object {
    let mut shown = object(network.to_json());
    let project = Value::from(network.project_id.0.clone());
    shown.insert("tenant_id".to_owned(), Cell::Plain(project));
    let total = subnets.iter().fold(0_u128, |sum, s| sum.saturating_add(s.total_ips()));
    let counts: Vec<AddressCounts> = subnets.iter().map(SubnetUsage::counts).collect();
    let rows = subnets.iter().zip(&counts).map(|(subnet, counts)| {
        let mut row = object(subnet.to_json());
        row.remove("network_id");
        add_counts(&mut row, subnet.total_ips(), *counts);
        row
    });
    shown.insert("subnet_ip_availability".to_owned(), Cell::Many(rows.collect()));
    add_counts(&mut shown, total, counts.into_iter().sum());
    shown
}

fn add_counts(shown: &mut Object, total_ips: u128, counts: AddressCounts) {
    let numbers = |names: [(&str, u128); 4]| {
        names.map(|(name, number)| (name.to_owned(), Cell::Number(number))).into()
    };
    let details = numbers([
        ("total_ips_in_subnet", counts.total_in_subnet),
        ("total_ips_in_allocation_pool", counts.total_in_pools),
        ("used_ips_in_subnet", counts.used_in_subnet),
        ("used_ips_in_allocation_pool", counts.used_in_pools),
    ]);
    shown.insert("total_ips".to_owned(), Cell::Number(total_ips));
    shown.insert("used_ips".to_owned(), Cell::Number(counts.used_in_subnet));
    shown.insert("ip_availability_details".to_owned(), Cell::One(details));
}

/// Subnets of IPv4 on external networks; a project sees its own.
async fn pools(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Json<Value>, Fault> {
    let declaration = FloatingIpPool::declaration();
    let parameters = Parameters::parse(uri.query())?;
    let mut access = Access::to::<FloatingIpPool>(&state, &caller);
    let mut listing = listing::listing(declaration, &parameters, &access, &|_| None)?;
    listing.conditions.push(("external", true.into()));
    listing.conditions.push(("ip_version", IpVersion::V4.to_sql()));
    let page = Page::load(&state, declaration, &listing).await?;
    let links = page.links("id", &uri, &headers);
    let mut items = Vec::new();
    for row in &access.seen(page.rows).await? {
        let mut shown = FloatingIpPool::from_row(row)?.to_json();
        shown.extend(shown.get("project_id").cloned().map(|id| ("tenant_id".to_owned(), id)));
        if let Some(fields) = parameters.fields() {
            shown.retain(|name, _| fields.contains(name));
        }
        items.push(Value::Object(shown));
    }
    let mut answer = json!({ declaration.collection: items });
    if !links.is_empty() {
        answer["floatingip_pools_links"] = Value::Array(links);
    }
    Ok(Json(answer))
}
