//! A server in this process, users who talk to it, and the few objects that most tests start from.

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response},
};
use base64::Engine as _;
use navigator_api::{
    ApiState, Identity, LocalControlPlane, Patient, Policy, PolicyInForce, router,
};
use navigator_bus::{ControlPlane as _, Hub};
use navigator_model::{Heartbeat, report::AgentRole};
use navigator_resources::Settings;
use navigator_store::Store;
use navigator_testkit::Postgres;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const HOST: &str = "network-1";

/// Where a test's server keeps its rows.
#[derive(Clone, Copy)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    fn url(self) -> String {
        match self {
            Self::Sqlite => "sqlite::memory:".to_owned(),
            Self::Postgres => Postgres::shared().database(),
        }
    }
}

pub(crate) struct Cloud {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) plane: LocalControlPlane,
    pub(crate) policy: Arc<PolicyInForce>,
}

/// Status, headers and JSON of an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn error_type(&self) -> &str {
        self.body["NeutronError"]["type"].as_str().unwrap_or("-")
    }

    pub(crate) fn message(&self) -> &str {
        self.body["NeutronError"]["message"].as_str().unwrap_or("-")
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, error_type: &str) {
        assert_eq!((self.status, self.error_type()), (status, error_type), "{}", self.body);
    }
}

/// Two projects and an administrator; every password is the user's name.
fn identity() -> Identity {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("htpasswd");
    let mut lines = String::new();
    for user in ["admin", "alice", "bob"] {
        // The lowest cost: the tests are not about bcrypt.
        writeln!(lines, "{user}:{}", bcrypt::hash(user, 4).unwrap()).unwrap();
    }
    std::fs::write(&file, lines).unwrap();
    // Of those that rules tell apart, the ones who may do most: who may not is the matrix's subject.
    let roles = [
        ("admin", ["admin", "service"].as_slice()),
        ("alice", &["manager"]),
        ("bob", &["manager"]),
    ];
    let named = |(user, roles): (&str, &[&str])| {
        (user.to_owned(), roles.iter().map(|role| (*role).to_owned()).collect())
    };
    let roles: HashMap<String, Vec<String>> = roles.into_iter().map(named).collect();
    Identity::basic(&file, &[], &HashMap::new(), &roles).unwrap()
}

impl Cloud {
    /// In memory, for what does not depend on the database.
    pub(crate) async fn new() -> Self {
        Self::on(Backend::Sqlite).await
    }

    pub(crate) async fn on(backend: Backend) -> Self {
        Self::with(backend, Settings::default()).await
    }

    pub(crate) async fn with(backend: Backend, settings: Settings) -> Self {
        Self::beside(&backend.url(), settings).await
    }

    /// With another way to know who asks. Agents that appear stay alive however long it takes.
    pub(crate) async fn asking(backend: Backend, identity: Identity) -> Self {
        let settings = Settings { agent_down_time_s: 3600, ..Settings::default() };
        Self::whole(&backend.url(), settings, identity).await
    }

    /// On a database of the test's own, with as many networks as it likes.
    pub(crate) async fn at(url: &str) -> Self {
        let mut settings = Settings::default();
        settings.quotas.limits.insert("network".to_owned(), -1);
        Self::beside(url, settings).await
    }

    /// A server of this database, which may have others.
    pub(crate) async fn beside(url: &str, settings: Settings) -> Self {
        Self::whole(url, settings, identity()).await
    }

    /// With an operator's `policy.yaml`.
    pub(crate) async fn under(backend: Backend, policy: &str) -> Self {
        let policy = Policy::new(Some(policy)).unwrap();
        Self::ruled(&backend.url(), Settings::default(), identity(), policy).await
    }

    async fn whole(url: &str, settings: Settings, identity: Identity) -> Self {
        Self::ruled(url, settings, identity, Policy::new(None).unwrap()).await
    }

    async fn ruled(url: &str, settings: Settings, identity: Identity, policy: Policy) -> Self {
        // What the server logs is shown when a test fails.
        let _ = tracing_subscriber::fmt()
            .with_test_writer()
            .with_max_level(tracing::Level::WARN)
            .try_init();
        let store = Store::connect(url).await.unwrap();
        store.migrate().await.unwrap();
        let policy = Arc::new(PolicyInForce::new(policy));
        let hub = Hub::default();
        let state = ApiState {
            patient: Patient::default(),
            store: store.clone(),
            hub: hub.clone(),
            settings: Arc::new(settings),
            identity: Arc::new(identity),
            policy: Arc::clone(&policy),
            agent_secret: Some("secret".into()),
            metrics: Arc::default(),
        };
        let plane = LocalControlPlane::from(&state);
        Self { router: router(state).unwrap(), store, hub, plane, policy }
    }

    /// A host with all three agents registers.
    pub(crate) async fn agents_appear(&self) {
        let role = |agent_type: &str, binary: &str| AgentRole {
            agent_type: agent_type.to_owned(),
            binary: binary.to_owned(),
            topic: "N/A".to_owned(),
            configurations: json!({"bridge_mappings": {"external": "ext0"}}),
        };
        let heartbeat = Heartbeat {
            host: HOST.into(),
            availability_zone: "nova".to_owned(),
            roles: vec![
                role("L3 agent", "neutron-l3-agent"),
                role("DHCP agent", "neutron-dhcp-agent"),
                role("Linux bridge agent", "neutron-linuxbridge-agent"),
            ],
            started: true,
        };
        self.plane.heartbeat(heartbeat).await.unwrap();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// The body of an answer that is no JSON.
    pub(crate) async fn text(&self, request: axum::http::request::Builder) -> String {
        let request = request.body(Body::empty()).unwrap();
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    pub(crate) async fn raw(&self, user: &str, method: &str, path: &str, body: Vec<u8>) -> Answer {
        self.send(request(user, method, path).body(Body::from(body)).unwrap()).await
    }

    async fn json(&self, user: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.raw(user, method, path, body.to_string().into_bytes()).await
    }

    pub(crate) async fn get(&self, user: &str, path: &str) -> Answer {
        self.raw(user, "GET", path, Vec::new()).await
    }

    pub(crate) async fn post(&self, user: &str, path: &str, body: &Value) -> Answer {
        self.json(user, "POST", path, body).await
    }

    pub(crate) async fn put(&self, user: &str, path: &str, body: &Value) -> Answer {
        self.json(user, "PUT", path, body).await
    }

    pub(crate) async fn delete(&self, user: &str, path: &str) -> Answer {
        self.raw(user, "DELETE", path, Vec::new()).await
    }

    /// Creates, and answers with the object.
    pub(crate) async fn create(
        &self,
        user: &str,
        collection: &str,
        name: &str,
        attributes: Value,
    ) -> Value {
        let path = format!("/v2.0/{collection}");
        let mut body = self.post(user, &path, &json!({ name: attributes })).await.expect(201);
        body[name].take()
    }

    /// An external network with a subnet, Alice's network with a subnet, a router between them.
    pub(crate) async fn site(&self) -> Site {
        let mut site = self.edge().await;
        let body = json!({"network_id": site.network["id"]});
        site.port = self.create("alice", "ports", "port", body).await;
        site
    }

    /// The same without a port on Alice's network. Addresses that a test names are outside of the
    /// pools, where nobody gets them by chance.
    pub(crate) async fn edge(&self) -> Site {
        let external = self
            .create(
                "admin",
                "networks",
                "network",
                json!({
                "name": "public", "router:external": true, "provider:network_type": "flat",
                "provider:physical_network": "external"}),
            )
            .await;
        self.create(
            "admin",
            "subnets",
            "subnet",
            json!({
            "network_id": external["id"], "ip_version": 4, "cidr": "203.0.113.0/24",
            "enable_dhcp": false,
            "allocation_pools": [{"start": "203.0.113.100", "end": "203.0.113.199"}]}),
        )
        .await;
        let network = self.create("alice", "networks", "network", json!({"name": "private"})).await;
        let subnet = self
            .create(
                "alice",
                "subnets",
                "subnet",
                json!({
                "network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24",
                "allocation_pools": [{"start": "10.0.0.100", "end": "10.0.0.199"}]}),
            )
            .await;
        let router = self
            .create(
                "alice",
                "routers",
                "router",
                json!({
                "name": "edge", "external_gateway_info": {"network_id": external["id"]}}),
            )
            .await;
        let path = format!("/v2.0/routers/{}/add_router_interface", text(&router["id"]));
        self.put("alice", &path, &json!({"subnet_id": subnet["id"]})).await.expect(200);
        Site { external, network, subnet, router, port: Value::Null }
    }
}

/// What [`Cloud::site`] made, as the API showed it.
pub(crate) struct Site {
    pub(crate) external: Value,
    pub(crate) network: Value,
    pub(crate) subnet: Value,
    pub(crate) router: Value,
    /// An instance's.
    pub(crate) port: Value,
}

impl Site {
    pub(crate) fn forwardings(&self) -> String {
        format!("/v2.0/routers/{}/gateway_port_forwardings", text(&self.router["id"]))
    }

    /// The body of a forwarding of this port number to the site's port.
    pub(crate) fn forwarding(&self, external_port: u16) -> Value {
        json!({"gateway_port_forwarding": {
            "protocol": "tcp",
            "external_port": external_port,
            "internal_port": external_port,
            "internal_port_id": self.port["id"],
            "internal_ip_address": self.port["fixed_ips"][0]["ip_address"],
        }})
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// `nobody` sends no credentials.
pub(crate) fn request(user: &str, method: &str, path: &str) -> axum::http::request::Builder {
    let builder = Request::builder().method(method).uri(path).header("host", "api.example:9696");
    if user == "nobody" {
        return builder;
    }
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{user}"));
    builder.header("authorization", format!("Basic {credentials}"))
}
