//! Bodies, queries and credentials of any bytes, through the whole server: it may refuse whatever it
//! likes, but it answers, in time, and never with 5xx. PROPTEST_CASES asks for more of them.

use std::time::{Duration, Instant};

use axum::{body::Body, http::HeaderValue};
use navigator_model::{Report, Revision, Scope};
use navigator_resources::Declaration;
use proptest::{
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree as _,
    test_runner::{TestCaseError, TestRunner},
};
use serde_json::{Map, Value, json};

use crate::{
    cloud::{Answer, Backend, request, text},
    every_resource::{Surface, declarations, valid},
};

on_both! {
    fuzz_bodies_of_every_collection,
    fuzz_queries_of_every_collection,
    fuzz_what_agents_send,
}

/// No request is worth more; far beyond what one takes on a busy machine.
const BOUND: Duration = Duration::from_secs(20);

fn config(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    config
}

/// Runs cases that wait; the one that fails is shown.
async fn run<S: Strategy>(
    cases: u32,
    strategy: &S,
    case: impl AsyncFn(S::Value) -> Result<(), TestCaseError>,
) where
    S::Value: Clone,
{
    let mut runner = TestRunner::new(config(cases));
    for _ in 0..runner.config().cases {
        let value = strategy.new_tree(&mut runner).unwrap().current();
        let result = case(value.clone()).await;
        result.unwrap_or_else(|error| panic!("{error}\n{value:?}"));
    }
}

fn sound(what: &str, answer: &Answer, since: Instant) -> Result<(), TestCaseError> {
    prop_assert!(answer.status < 500, "{}: {} {}", what, answer.status, answer.body);
    prop_assert!(since.elapsed() < BOUND, "{}: {:?}", what, since.elapsed());
    Ok(())
}

/// Texts that mean something somewhere.
const MEANINGFUL: &[&str] = &[
    "",
    " ",
    "\0",
    "a\0b",
    "%",
    "_",
    "'",
    "\"",
    "None",
    "null",
    "true",
    "False",
    "-1",
    "0",
    "1e400",
    "10.0.0.0/24",
    "10.0.0.5",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/64",
    "2001:db8::1",
    "10.0.0.0/33",
    "255.255.255.255",
    "tcp",
    "icmp",
    "ipv6-icmp",
    "any",
    "ingress",
    "IPv6",
    "65535",
    "65536",
    "fa:16:3e:00:00:01",
    "ff:ff:ff:ff:ff:ff",
    "network:dhcp",
    "9223372036854775808",
    "*",
    "00000000-0000-0000-0000-000000000000",
    "public",
    "private",
    "vxlan",
    "\u{10ffff}",
    "\u{202e}",
];

/// See [`Surface::filled`].
const THERE: &[&str] = &[
    "{network}",
    "{subnet}",
    "{router}",
    "{port}",
    "{external}",
    "{own}",
    "{group}",
    "{label}",
    "{address}",
    "{mac}",
];

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(MEANINGFUL).prop_map(str::to_owned),
        // Replaced by what something has that is there: its id, or another key of its kind.
        4 => select(THERE).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[ -~]{0,300}",
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    let number = select(
        &[0, -1, 1, 255, 65_535, 65_536, 1 << 31, -(1 << 31), 1 << 32, i64::MAX, i64::MIN][..],
    );
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => number.prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        6 => string().prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let key = select(
        &[
            "ip_address",
            "subnet_id",
            "mac_address",
            "network_id",
            "destination",
            "nexthop",
            "start",
            "end",
            "opt_name",
            "opt_value",
            "port_id",
            "enable_snat",
            "external_fixed_ips",
            "a",
        ][..],
    );
    scalar().prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|pairs| {
                Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

const PUT_IN: &[&[u8]] = &[b"{", b"]", b"\"", b",", b"\\u0000", b"\\ud800", b"1e999", b"\xff"];

/// What happens to the bytes of a body: something is put over, into or out of them.
type Damage = Vec<(Index, u8, Vec<u8>)>;

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        select(PUT_IN).prop_map(<[u8]>::to_vec),
    ];
    let one = prop::collection::vec((any::<Index>(), 0..3_u8, bytes), 1..4);
    prop_oneof![3 => Just(Vec::new()), 2 => one]
}

fn damaged(mut body: Vec<u8>, damage: &Damage) -> Vec<u8> {
    for (at, how, bytes) in damage {
        let at = at.index(body.len() + 1);
        let end = match how {
            0 => at,
            1 => (at + bytes.len()).min(body.len()),
            _ => (at + 5).min(body.len()),
        };
        body.splice(at..end, bytes.iter().copied());
    }
    body
}

/// Values for some of these attributes.
fn replaced(names: &[&str], changes: &[(Index, Value)]) -> Map<String, Value> {
    let chosen = |which: &Index| names[which.index(names.len())].to_owned();
    changes.iter().map(|(which, value)| (chosen(which), value.clone())).collect()
}

/// A POST's: what is valid, with some attributes replaced.
fn creation(declaration: &Declaration, changes: &[(Index, Value)]) -> Map<String, Value> {
    let names: Vec<_> = declaration.all().map(|attribute| attribute.name).collect();
    let mut attributes = valid(declaration).as_object().unwrap().clone();
    attributes.extend(replaced(&names, changes));
    attributes
}

/// A PUT's. One attribute that it may not have is enough for 400, so most have none of those.
fn change(declaration: &Declaration, any: bool, changes: &[(Index, Value)]) -> Map<String, Value> {
    let allowed = declaration.all().filter(|attribute| any || attribute.update);
    let names: Vec<_> = allowed.map(|attribute| attribute.name).collect();
    if names.is_empty() { Map::new() } else { replaced(&names, changes) }
}

#[derive(Clone, Debug)]
struct Case {
    resource: Index,
    user: &'static str,
    create: Vec<(Index, Value)>,
    update: Vec<(Index, Value)>,
    /// Whether a PUT may name what it cannot change.
    read_only: bool,
    copies: usize,
    damage: Damage,
}

fn case() -> impl Strategy<Value = Case> {
    let changes = || prop::collection::vec((any::<Index>(), value()), 0..3);
    let user = select(&["alice", "admin"][..]);
    let read_only = prop::bool::weighted(0.1);
    (any::<Index>(), user, changes(), changes(), read_only, 1..4_usize, damage()).prop_map(
        |(resource, user, create, update, read_only, copies, damage)| Case {
            resource,
            user,
            create,
            update,
            read_only,
            copies,
            damage,
        },
    )
}

async fn one_life(surface: &Surface, own: &Value, case: Case) -> Result<(), TestCaseError> {
    let all = declarations();
    let declaration = all[case.resource.index(all.len())];
    let path = surface.path(declaration);
    let attributes = creation(declaration, &case.create);
    let posted = match case.copies {
        1 => json!({ declaration.name: attributes }),
        count => json!({ declaration.collection: vec![attributes; count] }),
    };
    let bytes = damaged(surface.filled(own, &posted).await, &case.damage);
    let start = Instant::now();
    let made = surface.cloud.raw(case.user, "POST", &path, bytes).await;
    sound(&format!("POST {path}"), &made, start)?;
    // Something to change: what was made, or something that is not there.
    let object = match made.body[declaration.collection].as_array().and_then(|all| all.first()) {
        Some(first) => first,
        None => &made.body[declaration.name],
    };
    let key = object[declaration.key].as_str().unwrap_or("6a3d7a0e-0000-4000-8000-000000000000");
    let member = format!("{path}/{key}");
    let changes = change(declaration, case.read_only, &case.update);
    let changed = json!({ declaration.name: changes });
    let bytes = damaged(surface.filled(own, &changed).await, &case.damage);
    let start = Instant::now();
    let put = surface.cloud.raw(case.user, "PUT", &member, bytes).await;
    sound(&format!("PUT {member}"), &put, start)?;
    let start = Instant::now();
    let shown = surface.cloud.get(case.user, &path).await;
    sound(&format!("GET {path}"), &shown, start)?;
    let start = Instant::now();
    let deleted = surface.cloud.delete(case.user, &member).await;
    sound(&format!("DELETE {member}"), &deleted, start)
}

async fn fuzz_bodies_of_every_collection(on: Backend) {
    let surface = Surface::new(on).await;
    let own = surface.cloud.create("alice", "networks", "network", json!({})).await;
    run(200, &case(), async |case| one_life(&surface, &own, case).await).await;
}

async fn fuzz_queries_of_every_collection(on: Backend) {
    let surface = Surface::new(on).await;
    let names = select(
        &[
            "fields",
            "limit",
            "marker",
            "page_reverse",
            "sort_key",
            "sort_dir",
            "tags",
            "not-tags-any",
            "fixed_ips",
            "changed_since",
            "project_id",
            "tenant_id",
            "{attribute}",
            "{attribute}",
            "{attribute}",
            "%00",
            "a%5Bb%5D",
            "",
        ][..],
    );
    let bytes = prop::collection::vec(any::<u8>(), 0..8)
        .prop_map(|bytes| bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<String>());
    let written = prop_oneof![
        4 => string().prop_map(|text| {
            percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        }),
        2 => bytes,
        1 => "[-a-zA-Z0-9%&=+;,.:/?]{0,40}",
        1 => Just("{attribute}".to_owned()),
    ];
    let parameters = prop::collection::vec((names, any::<Index>(), written), 0..8);
    let user = select(&["alice", "admin"][..]);
    run(300, &(any::<Index>(), user, parameters), async |(resource, user, parameters)| {
        let all = declarations();
        let declaration = all[resource.index(all.len())];
        let attributes: Vec<_> = declaration.all().collect();
        let query: Vec<String> = parameters
            .into_iter()
            .map(|(name, which, value)| {
                let attribute = attributes[which.index(attributes.len())].name;
                format!("{name}={value}").replace("{attribute}", attribute)
            })
            .collect();
        let target = format!("{}?{}", surface.path(declaration), query.join("&"));
        let builder = request(user, "GET", &target);
        // What is no URL at all does not get this far.
        let Ok(request) = builder.body(Body::empty()) else { return Ok(()) };
        let start = Instant::now();
        let answer = surface.cloud.send(request).await;
        sound(&target, &answer, start)
    })
    .await;
}

async fn fuzz_what_agents_send(on: Backend) {
    let surface = Surface::new(on).await;
    let network = text(&surface.site.network["id"]).to_owned();
    let router = text(&surface.site.router["id"]).to_owned();
    let heartbeat = json!({"host": "h", "availability_zone": "nova", "started": true, "roles": [{
        "agent_type": "L3 agent", "binary": "b", "topic": "t", "configurations": {"a": [1]}}]});
    let report = Report {
        scope: Scope::Router(router.parse().unwrap()),
        revision: Revision(3),
        outcomes: Vec::new(),
    };
    let report = serde_json::to_value(report).unwrap();
    let bodies = select(vec![
        ("POST", "/agent/v1/heartbeat".to_owned(), heartbeat.to_string()),
        ("POST", "/agent/v1/report?host=h".to_owned(), report.to_string()),
        ("GET", format!("/agent/v1/snapshot?host=h&scope=network/{network}"), String::new()),
        ("GET", "/agent/v1/revisions?host=h".to_owned(), String::new()),
    ]);
    let suffix = prop_oneof![3 => Just(String::new()), 2 => "[-a-z0-9%&=/]{0,20}"];
    run(200, &(bodies, damage(), suffix), async |((method, path, body), damage, suffix)| {
        let builder = request("nobody", method, &format!("{path}{suffix}"))
            .header("authorization", "Bearer secret")
            .header("content-type", "application/json");
        let body = damaged(body.into_bytes(), &damage);
        let Ok(request) = builder.body(Body::from(body)) else { return Ok(()) };
        let start = Instant::now();
        let answer = surface.cloud.send(request).await;
        sound(&path, &answer, start)
    })
    .await;
}

#[tokio::test]
async fn fuzz_credentials() {
    let surface = Surface::new(Backend::Sqlite).await;
    use base64::Engine as _;
    let encode = |bytes: Vec<u8>| {
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        format!("Basic {text}").into_bytes()
    };
    let values = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "(Basic|basic|Bearer|Digest|)[ ]{0,2}[A-Za-z0-9+/=:]{0,40}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(encode),
        "(alice|bob|admin|)[:]{0,2}[a-z\\PC]{0,5}"
            .prop_filter("the right one", |text| !["alice:alice", "bob:bob"].contains(&&**text))
            .prop_map(move |text| encode(text.into_bytes())),
    ];
    let names = select(&["authorization", "x-auth-token", "x-service-token"][..]);
    run(300, &(names, values), async |(name, value)| {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        let asked = request("nobody", "GET", "/v2.0/networks").header(name, value);
        let start = Instant::now();
        let answer = surface.cloud.send(asked.body(Body::empty()).unwrap()).await;
        sound(name, &answer, start)?;
        prop_assert_eq!(answer.status, 401);
        Ok(())
    })
    .await;
}
