//! Clients: what they want, and a book of what each object's clients were told.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use navigator_resources::{
    FloatingIp, GatewayPortForwarding, Network, Port, PortForwarding, Resource, Router,
    SecurityGroup, Subnet,
};
use navigator_store::{Listing, Store};
use serde_json::{Value, json};

use super::history::{Action, Event, NEVER, linearizable};
use crate::{
    cloud::{Answer, Cloud, text},
    seed::Random,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Network,
    Subnet,
    Port,
    Router,
    FloatingIp,
    PortForwarding,
    GatewayPortForwarding,
    SecurityGroup,
}

use Kind::{FloatingIp as Fip, GatewayPortForwarding as GatewayForward, PortForwarding as Forward};

const KINDS: &[Kind] = &[
    Kind::Network,
    Kind::Subnet,
    Kind::Port,
    Kind::Port,
    Kind::Router,
    Fip,
    Forward,
    Forward,
    GatewayForward,
    GatewayForward,
    Kind::SecurityGroup,
];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Subnet => "subnet",
            Self::Port => "port",
            Self::Router => "router",
            Self::FloatingIp => "floatingip",
            Self::PortForwarding => "port_forwarding",
            Self::GatewayPortForwarding => "gateway_port_forwarding",
            Self::SecurityGroup => "security_group",
        }
    }

    /// More of them than this are not made.
    fn most(self) -> usize {
        match self {
            Self::Network | Self::Router | Self::SecurityGroup => 6,
            Self::Subnet | Fip => 10,
            _ => 20,
        }
    }
}

#[derive(Clone, Debug)]
struct Object {
    kind: Kind,
    id: String,
    path: String,
    /// Objects that take it with them.
    parents: Vec<String>,
    /// The first address of a port.
    address: String,
}

#[derive(Default)]
struct Book {
    live: Vec<Object>,
    objects: HashMap<String, (Object, Vec<Event>)>,
    /// When something took with it what depends on it.
    swept: HashMap<String, Vec<(u64, u64)>>,
    answers: BTreeMap<String, usize>,
}

pub(super) struct Shared {
    book: Mutex<Book>,
    clock: AtomicU64,
    values: AtomicU32,
    external: String,
}

impl Shared {
    /// With an external network for gateways and floating IPs.
    pub(super) async fn start(cloud: &Cloud) -> Self {
        let network = json!({"router:external": true});
        let external = cloud.create("admin", "networks", "network", network).await;
        let subnet = json!({"network_id": external["id"], "ip_version": 4,
            "cidr": "203.0.113.0/24", "enable_dhcp": false});
        cloud.create("admin", "subnets", "subnet", subnet).await;
        Self {
            book: Mutex::default(),
            clock: AtomicU64::new(1),
            values: AtomicU32::new(1),
            external: text(&external["id"]).to_owned(),
        }
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// How often each was told what.
    pub(super) fn summary(&self) -> String {
        let book = self.book.lock().unwrap();
        let answers: Vec<String> = book.answers.iter().map(|(a, n)| format!("{a} {n}")).collect();
        format!("{} objects; {}", book.objects.len(), answers.join(", "))
    }

    /// Objects whose clients were told what no order explains. The database's rows are the last that
    /// is told of each.
    pub(super) async fn check(&self, store: &Store) -> Vec<String> {
        let mut last = HashMap::new();
        final_rows::<Network>(store, &mut last).await;
        final_rows::<Subnet>(store, &mut last).await;
        final_rows::<Port>(store, &mut last).await;
        final_rows::<Router>(store, &mut last).await;
        final_rows::<FloatingIp>(store, &mut last).await;
        final_rows::<PortForwarding>(store, &mut last).await;
        final_rows::<GatewayPortForwarding>(store, &mut last).await;
        final_rows::<SecurityGroup>(store, &mut last).await;
        let end = self.now();
        let book = self.book.lock().unwrap();
        let mut wrong = Vec::new();
        for (id, (object, events)) in &book.objects {
            let mut events = events.clone();
            let sweeps = object.parents.iter().filter_map(|parent| book.swept.get(parent));
            events.extend(sweeps.flatten().map(|(invoked, returned)| Event {
                invoked: *invoked,
                returned: *returned,
                certain: false,
                action: Action::Delete,
            }));
            let action = Action::Read(last.get(id).copied());
            events.push(Event { invoked: end, returned: end + 1, certain: true, action });
            if !linearizable(&events) {
                events.sort_by_key(|event| event.invoked);
                let shown: Vec<String> = events.iter().map(|e| format!("  {e:?}")).collect();
                wrong.push(format!("no order explains {}:\n{}", object.path, shown.join("\n")));
            }
        }
        wrong
    }
}

async fn final_rows<R: Resource>(store: &Store, into: &mut HashMap<String, u32>) {
    for row in store.list(R::declaration(), &Listing::default()).await.unwrap() {
        if let Ok(value) = row.text("description").parse() {
            into.insert(row.text("id").to_owned(), value);
        }
    }
}

pub(super) struct Client<'a> {
    server: &'a Cloud,
    shared: &'a Shared,
    random: Random,
}

/// A request with the time that it took.
struct Told {
    answer: Answer,
    invoked: u64,
    returned: u64,
}

impl Told {
    fn done(&self) -> bool {
        self.answer.status < 300
    }

    /// It may or may not have happened, also later.
    fn unknown(&self) -> bool {
        self.answer.status == 503
    }

    fn event(&self, action: Action) -> Event {
        let returned = if self.unknown() { NEVER } else { self.returned };
        Event { invoked: self.invoked, returned, certain: !self.unknown(), action }
    }
}

impl<'a> Client<'a> {
    pub(super) fn new(server: &'a Cloud, shared: &'a Shared, random: Random) -> Self {
        Self { server, shared, random }
    }

    pub(super) async fn run(mut self, operations: usize) {
        for _ in 0..operations {
            match self.random.below(20) {
                0..6 => self.create().await,
                6..10 => self.write().await,
                10..13 => self.read().await,
                13..16 => self.delete().await,
                16 => self.interface().await,
                17 => self.associate().await,
                18 => self.gateway().await,
                _ => self.readdress().await,
            }
        }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Told {
        let path = format!("/v2.0/{path}");
        let invoked = self.shared.now();
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = self.server.raw("alice", method, &path, bytes).await;
        let returned = self.shared.now();
        let status = answer.status;
        assert!(status < 500 || status == 503, "{method} {path} {body}: {}", answer.body);
        let count = format!("{method} {status}");
        *self.shared.book.lock().unwrap().answers.entry(count).or_default() += 1;
        Told { answer, invoked, returned }
    }

    /// One of the live objects of this kind.
    fn any(&mut self, kind: Kind) -> Option<Object> {
        let book = self.shared.book.lock().unwrap();
        let live: Vec<&Object> = book.live.iter().filter(|object| object.kind == kind).collect();
        self.random.pick(&live).map(|object| (*object).clone())
    }

    fn any_of_all(&mut self) -> Option<Object> {
        let kind = *self.random.pick(KINDS)?;
        self.any(kind)
    }

    fn value(&self) -> u32 {
        self.shared.values.fetch_add(1, Ordering::Relaxed)
    }

    fn note(&self, object: &Object, events: impl IntoIterator<Item = Event>) {
        let mut book = self.shared.book.lock().unwrap();
        if let Some((_, known)) = book.objects.get_mut(&object.id) {
            known.extend(events);
        }
    }

    async fn create(&mut self) {
        let kind = KINDS[self.random.below(KINDS.len())];
        let live = |book: &Book| book.live.iter().filter(|object| object.kind == kind).count();
        if live(&self.shared.book.lock().unwrap()) >= kind.most() {
            return self.delete_one(kind).await;
        }
        let Some((collection, mut attributes, parents)) = self.wish(kind) else { return };
        let value = self.value();
        attributes["description"] = json!(value.to_string());
        let told = self.send("POST", &collection, &json!({ kind.name(): attributes })).await;
        if !told.done() {
            return;
        }
        let made = &told.answer.body[kind.name()];
        assert!(made.is_object(), "{collection}: created, and shown as {}", told.answer.body);
        let id = text(&made["id"]).to_owned();
        let object = Object {
            kind,
            path: format!("{collection}/{id}"),
            parents,
            address: made["fixed_ips"][0]["ip_address"].as_str().unwrap_or_default().to_owned(),
            id: id.clone(),
        };
        let events =
            vec![told.event(Action::Create(value)), told.event(Action::Read(described(made)))];
        let mut book = self.shared.book.lock().unwrap();
        book.objects.insert(id, (object.clone(), events));
        book.live.push(object);
    }

    /// Where and what, and who takes it along.
    fn wish(&mut self, kind: Kind) -> Option<(String, Value, Vec<String>)> {
        let external = self.shared.external.clone();
        let gateway = json!({ "network_id": external });
        Some(match kind {
            Kind::Network => ("networks".to_owned(), json!({}), Vec::new()),
            Kind::SecurityGroup => ("security-groups".to_owned(), json!({"name": "g"}), Vec::new()),
            Kind::Router if self.random.one_in(3) => ("routers".to_owned(), json!({}), Vec::new()),
            Kind::Router => {
                let wish = json!({ "external_gateway_info": gateway });
                ("routers".to_owned(), wish, Vec::new())
            }
            Fip => {
                let mut wish = json!({ "floating_network_id": external });
                if self.random.one_in(4) {
                    wish["port_id"] = json!(self.any(Kind::Port)?.id);
                }
                ("floatingips".to_owned(), wish, Vec::new())
            }
            Kind::Subnet => {
                let network = self.any(Kind::Network)?;
                let number = self.random.below(12);
                let wish = if number == 0 {
                    json!({"network_id": network.id, "ip_version": 6, "cidr": "2001:db8::/64",
                        "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"})
                } else {
                    json!({"network_id": network.id, "ip_version": 4,
                        "cidr": format!("10.0.{number}.0/24")})
                };
                ("subnets".to_owned(), wish, vec![network.id])
            }
            Kind::Port => {
                let network = self.any(Kind::Network)?;
                let mut wish = json!({ "network_id": network.id });
                if self.random.one_in(3) {
                    wish["security_groups"] = json!([self.any(Kind::SecurityGroup)?.id]);
                }
                ("ports".to_owned(), wish, Vec::new())
            }
            Forward | GatewayForward => {
                let parent = if kind == Forward { Fip } else { Kind::Router };
                let (parent, port) = (self.any(parent)?, self.any(Kind::Port)?);
                let first = 1 + self.random.below(30);
                let last = first + self.random.below(3);
                let protocol = if self.random.one_in(2) { "tcp" } else { "udp" };
                let wish = json!({"protocol": protocol, "internal_port_id": port.id,
                    "internal_ip_address": port.address, "internal_port": 1 + self.random.below(99),
                    "external_port_range": format!("{first}:{last}")});
                (format!("{}/{}s", parent.path, kind.name()), wish, vec![port.id])
            }
        })
    }

    async fn write(&mut self) {
        let Some(object) = self.any_of_all() else { return };
        let value = self.value();
        let body = json!({ object.kind.name(): {"description": value.to_string()} });
        self.put(&object, &body, value).await;
    }

    /// Writes the value, with whatever else the body says.
    async fn put(&mut self, object: &Object, body: &Value, value: u32) -> Told {
        let told = self.send("PUT", &object.path, body).await;
        match told.answer.status {
            200 => {
                let shown = described(&told.answer.body[object.kind.name()]);
                let events = [told.event(Action::Write(value)), told.event(Action::Read(shown))];
                self.note(object, events);
            }
            503 => self.note(object, [told.event(Action::Write(value))]),
            404 if absent(&told.answer, object) => {
                self.note(object, [told.event(Action::Read(None))]);
            }
            _ => {}
        }
        told
    }

    async fn read(&mut self) {
        let Some(object) = self.any_of_all() else { return };
        let told = self.send("GET", &object.path, &Value::Null).await;
        match told.answer.status {
            200 => {
                let shown = described(&told.answer.body[object.kind.name()]);
                self.note(&object, [told.event(Action::Read(shown))]);
            }
            404 if absent(&told.answer, &object) => {
                self.note(&object, [told.event(Action::Read(None))]);
            }
            _ => {}
        }
    }

    async fn delete(&mut self) {
        if let Some(kind) = self.random.pick(KINDS).copied() {
            self.delete_one(kind).await;
        }
    }

    async fn delete_one(&mut self, kind: Kind) {
        let Some(object) = self.any(kind) else { return };
        let told = self.send("DELETE", &object.path, &Value::Null).await;
        match told.answer.status {
            204 | 503 => self.note(&object, [told.event(Action::Delete)]),
            404 if absent(&told.answer, &object) => {
                self.note(&object, [told.event(Action::Read(None))]);
            }
            _ => {}
        }
        if told.done() || told.unknown() {
            self.sweep(&object, &told);
        }
        if told.done() || told.answer.status == 404 {
            self.shared.book.lock().unwrap().live.retain(|known| known.id != object.id);
        }
    }

    /// What depends on the object may have gone with it.
    fn sweep(&self, object: &Object, told: &Told) {
        let Event { invoked, returned, .. } = told.event(Action::Delete);
        let mut book = self.shared.book.lock().unwrap();
        book.swept.entry(object.id.clone()).or_default().push((invoked, returned));
    }

    async fn interface(&mut self) {
        let Some((router, subnet)) = self.any(Kind::Router).zip(self.any(Kind::Subnet)) else {
            return;
        };
        let verb = if self.random.one_in(4) { "remove" } else { "add" };
        let path = format!("{}/{verb}_router_interface", router.path);
        self.send("PUT", &path, &json!({ "subnet_id": subnet.id })).await;
    }

    async fn associate(&mut self) {
        let Some((floating_ip, port)) = self.any(Fip).zip(self.any(Kind::Port)) else { return };
        let port = if self.random.one_in(3) { Value::Null } else { json!(port.id) };
        let value = self.value();
        let body = json!({"floatingip": {"port_id": port, "description": value.to_string()}});
        self.put(&floating_ip, &body, value).await;
    }

    async fn gateway(&mut self) {
        let Some(router) = self.any(Kind::Router) else { return };
        let external = &self.shared.external;
        let gateway =
            if self.random.one_in(3) { Value::Null } else { json!({ "network_id": external }) };
        let value = self.value();
        let body = json!({"router": {
            "external_gateway_info": gateway, "description": value.to_string()}});
        self.put(&router, &body, value).await;
    }

    /// Another address for a port: what led to the one that it had goes.
    async fn readdress(&mut self) {
        let Some((port, subnet)) = self.any(Kind::Port).zip(self.any(Kind::Subnet)) else { return };
        let value = self.value();
        let body = json!({"port": {
            "fixed_ips": [{"subnet_id": subnet.id}], "description": value.to_string()}});
        let told = self.put(&port, &body, value).await;
        if !told.done() && !told.unknown() {
            return;
        }
        self.sweep(&port, &told);
        let shown = &told.answer.body["port"]["fixed_ips"][0]["ip_address"];
        let mut book = self.shared.book.lock().unwrap();
        if let (Some(address), Some(known)) =
            (shown.as_str(), book.live.iter_mut().find(|known| known.id == port.id))
        {
            address.clone_into(&mut known.address);
        }
    }
}

fn described(object: &Value) -> Option<u32> {
    text(&object["description"]).parse().ok()
}

/// Whether it is the object that was not found and not something that the request names.
fn absent(answer: &Answer, object: &Object) -> bool {
    answer.message().contains(&object.id)
}
