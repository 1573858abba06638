//! A server in memory: scopes with their history, a hub, and switches for everything that can go
//! wrong between it and an agent.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use futures::{FutureExt, future::BoxFuture, stream::BoxStream};
use navigator_bus::{BusError, ControlPlane, Hub, Wakeup};
use navigator_model::{
    Fetched, Heartbeat, HostName, L4Port, L4PortRange, MacAddress, Object, ObjectKey, Outcome,
    Protocol, Report, Revision, Scope, Snapshot,
    snapshot::{
        Duties, Forward, ForwardAddress, Gateway, Network, Router, RouterPort, Segment, SourceNat,
    },
};

use crate::fleet::{
    forward_key, gateway_id, host_scope, network_id, network_scope, port_id, router_id,
    router_scope,
};

type Answer = dyn Fn(&Scope) -> Result<Option<Fetched>, &'static str> + Send;
type Changes = Vec<(ObjectKey, Option<Object>)>;

#[derive(Default)]
struct Inner {
    scopes: BTreeMap<Scope, Snapshot>,
    history: BTreeMap<Scope, Vec<(Revision, Changes)>>,
    duties: Duties,
    host_revision: u64,
    hub: Hub,
    silent: bool,
    unreachable: bool,
    answer: Option<Box<Answer>>,
    reports: BTreeMap<ObjectKey, Outcome>,
    fetches: usize,
    complete: usize,
    heartbeats: usize,
}

#[derive(Default)]
pub(crate) struct FakeServer(Mutex<Inner>);

fn port(id: navigator_model::PortId, network: u32, address: &str, last: u8) -> RouterPort {
    RouterPort {
        port_id: id,
        network_id: network_id(network),
        mac_address: MacAddress([0xfa, 0x16, 0x3e, 0, 0, last]),
        mtu: 1450,
        admin_state_up: true,
        addresses: vec![address.parse().unwrap()],
    }
}

fn router(n: u32) -> Router {
    let last = u8::try_from(n).unwrap();
    Router {
        id: router_id(n),
        project_id: "p".into(),
        admin_state_up: true,
        interfaces: vec![port(port_id(n), 1, &format!("10.0.{n}.1/24"), last)],
        gateway: Some(Gateway {
            port: port(gateway_id(n), 99, &format!("203.0.113.{n}/24"), last + 100),
            enable_snat: true,
            next_hops: vec!["203.0.113.254".parse().unwrap()],
        }),
        routes: Vec::new(),
    }
}

fn forward(router: u32, n: u32) -> Object {
    let range = |port: u32| L4PortRange::single(L4Port::new(u16::try_from(port).unwrap()).unwrap());
    Object::Forward(Forward {
        external: ForwardAddress::Gateway,
        protocol: Protocol::Tcp,
        external_ports: range(2000 + n),
        internal_address: [10, 0, u8::try_from(router).unwrap(), 10].into(),
        internal_ports: range(22),
        source_nat: SourceNat::Auto,
        allowed_cidrs: Vec::new(),
        foreign_gateway: false,
    })
}

impl FakeServer {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(crate) fn scopes(&self) -> Vec<Scope> {
        self.lock().scopes.keys().cloned().collect()
    }

    pub(crate) fn snapshot(&self, scope: &Scope) -> Option<Snapshot> {
        self.lock().scopes.get(scope).cloned()
    }

    pub(crate) fn serve_router(&self, n: u32, forwards: u32) {
        let mut objects: Changes =
            vec![(ObjectKey::Router(router_id(n)), Some(Object::Router(router(n))))];
        objects.extend((1..=forwards).map(|f| (forward_key(n, f), Some(forward(n, f)))));
        let mut inner = self.lock();
        inner.change(&router_scope(n), objects);
        inner.change_duties(|duties| duties.routers.push(router_id(n)));
    }

    pub(crate) fn serve_network(&self, n: u32) {
        let network = Network {
            id: network_id(n),
            project_id: "p".into(),
            admin_state_up: true,
            segment: Segment::Local,
            mtu: 1450,
            subnets: Vec::new(),
        };
        let port = navigator_model::snapshot::Port {
            id: port_id(n),
            mac_address: MacAddress([0xfa, 0x16, 0x3e, 0, 0, 1]),
            admin_state_up: true,
            fixed_ips: Vec::new(),
            device_owner: "network:router_interface".to_owned(),
            host: Some("node-1".into()),
            tunnel_ip: None,
            prepared_on: Vec::new(),
            dns_name: String::new(),
            extra_dhcp_opts: Vec::new(),
        };
        let objects = vec![
            (ObjectKey::Network(network_id(n)), Some(Object::Network(network))),
            (ObjectKey::Port(port_id(n)), Some(Object::Port(port))),
        ];
        let mut inner = self.lock();
        inner.change(&network_scope(n), objects);
        inner.change_duties(|duties| duties.networks.push(network_id(n)));
    }

    pub(crate) fn add_forward(&self, router: u32, n: u32) {
        let added = vec![(forward_key(router, n), Some(forward(router, n)))];
        self.lock().change(&router_scope(router), added);
    }

    pub(crate) fn remove_forward(&self, router: u32, n: u32) {
        self.lock().change(&router_scope(router), vec![(forward_key(router, n), None)]);
    }

    pub(crate) fn take_away(&self, router: u32) {
        let mut inner = self.lock();
        inner.scopes.remove(&router_scope(router));
        inner.change_duties(|duties| duties.routers.retain(|id| *id != router_id(router)));
    }

    /// Changes without wake-ups.
    pub(crate) fn silently(&self, change: impl FnOnce(&Self)) {
        self.lock().silent = true;
        change(self);
        self.lock().silent = false;
    }

    /// `Ok(None)` answers as usual.
    pub(crate) fn answer_fetches_with(
        &self,
        answer: impl Fn(&Scope) -> Result<Option<Fetched>, &'static str> + Send + 'static,
    ) {
        self.lock().answer = Some(Box::new(answer));
    }

    pub(crate) fn cut_streams(&self) {
        self.lock().hub = Hub::default();
    }

    /// Makes the agent ask for its duties again.
    pub(crate) fn kick(&self) {
        self.cut_streams();
    }

    pub(crate) fn set_reachable(&self, reachable: bool) {
        let mut inner = self.lock();
        inner.unreachable = !reachable;
        if !reachable {
            inner.hub = Hub::default();
        }
    }

    pub(crate) fn reported(&self, object: ObjectKey) -> Option<Outcome> {
        self.lock().reports.get(&object).cloned()
    }

    pub(crate) fn forget_reports(&self) {
        let mut inner = self.lock();
        inner.reports.clear();
    }

    pub(crate) fn fetches(&self) -> usize {
        self.lock().fetches
    }

    pub(crate) fn complete_answers(&self) -> usize {
        self.lock().complete
    }

    pub(crate) fn heartbeats(&self) -> usize {
        self.lock().heartbeats
    }
}

impl Inner {
    fn change(&mut self, scope: &Scope, changes: Changes) {
        let fresh = || Snapshot {
            scope: scope.clone(),
            revision: Revision(0),
            objects: BTreeMap::new(),
            duties: Duties::default(),
        };
        let snapshot = self.scopes.entry(scope.clone()).or_insert_with(fresh);
        let revision = Revision(snapshot.revision.0 + 1);
        snapshot.apply(revision, changes.clone());
        self.history.entry(scope.clone()).or_default().push((revision, changes));
        self.publish(scope.clone(), revision);
    }

    fn change_duties(&mut self, change: impl FnOnce(&mut Duties)) {
        change(&mut self.duties);
        self.host_revision += 1;
        self.publish(host_scope(), Revision(self.host_revision));
    }

    fn publish(&self, scope: Scope, revision: Revision) {
        if !self.silent {
            self.hub.publish([Wakeup { scope, revision }]);
        }
    }

    fn reachable(&self) -> Result<(), BusError> {
        if self.unreachable { Err(BusError::Unreachable("cut".to_owned())) } else { Ok(()) }
    }

    fn fetch(&mut self, scope: &Scope, since: Option<Revision>) -> Result<Fetched, BusError> {
        self.fetches += 1;
        self.reachable()?;
        if let Some(answer) = &self.answer {
            match answer(scope) {
                Ok(Some(fetched)) => return Ok(fetched),
                Ok(None) => {}
                Err(why) => return Err(BusError::Unreachable(why.to_owned())),
            }
        }
        let fetched = if *scope == host_scope() {
            self.fetch_host(since)
        } else {
            self.fetch_scope(scope, since)
        };
        self.complete += usize::from(matches!(fetched, Fetched::Complete(_)));
        Ok(fetched)
    }

    fn fetch_host(&self, since: Option<Revision>) -> Fetched {
        let (scope, revision) = (host_scope(), Revision(self.host_revision));
        if since == Some(revision) {
            return Fetched::Changes { scope, revision, objects: Vec::new() };
        }
        let duties = self.duties.clone();
        Fetched::Complete(Snapshot { scope, revision, objects: BTreeMap::new(), duties })
    }

    fn fetch_scope(&self, scope: &Scope, since: Option<Revision>) -> Fetched {
        let Some(snapshot) = self.scopes.get(scope) else {
            return Fetched::Gone { scope: scope.clone(), revision: Revision(0) };
        };
        let Some(since) = since else { return Fetched::Complete(snapshot.clone()) };
        let news = self.history[scope].iter().filter(|(revision, _)| *revision > since);
        let objects = news.flat_map(|(_, changes)| changes.clone()).collect();
        Fetched::Changes { scope: scope.clone(), revision: snapshot.revision, objects }
    }
}

impl ControlPlane for FakeServer {
    fn fetch<'a>(
        &'a self,
        _: &'a HostName,
        scope: &'a Scope,
        since: Option<Revision>,
    ) -> BoxFuture<'a, Result<Fetched, BusError>> {
        async move { self.lock().fetch(scope, since) }.boxed()
    }

    fn revisions<'a>(
        &'a self,
        _: &'a HostName,
    ) -> BoxFuture<'a, Result<Vec<(Scope, Revision)>, BusError>> {
        async move {
            let inner = self.lock();
            inner.reachable()?;
            let host = (host_scope(), Revision(inner.host_revision));
            let scopes = inner.scopes.values().map(|s| (s.scope.clone(), s.revision));
            Ok(scopes.chain([host]).collect())
        }
        .boxed()
    }

    fn wakeups<'a>(
        &'a self,
        _: &'a HostName,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Wakeup>, BusError>> {
        async move {
            let inner = self.lock();
            inner.reachable()?;
            Ok(inner.hub.subscribe())
        }
        .boxed()
    }

    fn heartbeat(&self, _: Heartbeat) -> BoxFuture<'_, Result<(), BusError>> {
        async move {
            let mut inner = self.lock();
            inner.reachable()?;
            inner.heartbeats += 1;
            Ok(())
        }
        .boxed()
    }

    fn report<'a>(
        &'a self,
        _: &'a HostName,
        report: Report,
    ) -> BoxFuture<'a, Result<(), BusError>> {
        async move {
            let mut inner = self.lock();
            inner.reachable()?;
            inner.reports.extend(report.outcomes);
            Ok(())
        }
        .boxed()
    }
}
