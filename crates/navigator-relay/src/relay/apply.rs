//! From one set to the next: opens what is new, closes what is gone, and touches nothing else. All that
//! can fail is done before anything changes, so a set that cannot be had leaves the old one in force.

use std::{
    collections::{HashMap, HashSet},
    fmt, io,
    net::IpAddr,
    sync::{Arc, mpsc::channel},
};

use socket2::Socket;

use super::{Relay, in_use};
use crate::{
    Forward, ForwardSet, Removal, Transport,
    listener::{self, Listener},
    live::Live,
    namespace::Namespace,
    route::Route,
    token::Key,
    worker::inbox::{Change, Message},
};

/// What a listening socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    transport: Transport,
    /// The namespace's inode number: a name may mean another one by now.
    namespace: u64,
    address: Option<IpAddr>,
    port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.map_or("*".to_owned(), |address| address.to_string());
        write!(f, "{} {} {address} {}", self.transport, self.namespace, self.port)
    }
}

impl Place {
    /// Reads the text form.
    pub(super) fn read(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split(' ').collect();
        let [transport, namespace, address, port] = fields.as_slice() else {
            return None;
        };
        let transport = match *transport {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return None,
        };
        let address = if *address == "*" { None } else { Some(address.parse().ok()?) };
        Some(Self {
            transport,
            namespace: namespace.parse().ok()?,
            address,
            port: port.parse().ok()?,
        })
    }
}

/// Why a set is not in force, one line per entry.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub struct ApplyError {
    pub lines: Vec<String>,
}

/// What the new set needs.
#[derive(Default)]
struct Wanted {
    forwards: HashMap<String, Arc<Live>>,
    places: HashMap<Place, Wish>,
}

/// A listening port of the new set: the forwards that want it, and where.
struct Wish {
    lives: Vec<Arc<Live>>,
    namespace: Arc<Namespace>,
}

/// Sockets bound so far, and places that somebody else has.
#[derive(Default)]
struct Bound {
    sockets: Vec<(Place, Socket)>,
    /// Taken by a listener of ours that the new set does without.
    later: Vec<Place>,
    lines: Vec<String>,
}

impl Relay {
    /// Makes `set` the one in force. Connections of forwards that are the same afterwards, or differ in
    /// limits and timeouts only, go on; those of the others are cut or drained as their old forward
    /// says. Returns when all workers go by the new set.
    ///
    /// # Errors
    /// Names each entry that cannot be had: an address in use, a namespace that is not there. The
    /// old set is in force then.
    pub fn apply(&mut self, set: ForwardSet) -> Result<(), ApplyError> {
        let wanted = self.wanted(&set)?;
        let mut bound = Bound::default();
        let mut inherited = std::mem::take(&mut self.inherited);
        for (place, wish) in &wanted.places {
            if self.listeners.contains_key(place) {
                continue;
            }
            if let Some(socket) = inherited.remove(place) {
                bound.sockets.push((*place, socket));
            } else {
                self.bind(*place, &wish.lives[0], &wish.namespace, &wanted, &mut bound);
            }
        }
        if !bound.lines.is_empty() {
            bound.lines.sort();
            return Err(ApplyError { lines: bound.lines });
        }
        self.change(&wanted, bound.sockets);
        let lines = self.bind_later(&wanted, &bound.later);
        self.forwards = wanted.forwards;
        self.set = set;
        if lines.is_empty() { Ok(()) } else { Err(ApplyError { lines }) }
    }

    fn wanted(&mut self, set: &ForwardSet) -> Result<Wanted, ApplyError> {
        let (mut wanted, mut lines) = (Wanted::default(), Vec::new());
        let mut namespaces = HashMap::new();
        for (name, forward) in set.iter() {
            let mut open = |field: &str, netns: Option<&str>| {
                self.namespace(&mut namespaces, netns).map_err(|reason| {
                    lines.push(format!("forward.{name}: {field}.netns: {reason}"))
                })
            };
            let listen_in = open("listen", forward.listen.netns.as_deref());
            let connect_in = open("connect", forward.connect.netns.as_deref());
            let (Ok(listen_in), Ok(connect_in)) = (listen_in, connect_in) else {
                continue;
            };
            let live = self.live(name, forward, connect_in);
            for port in forward.listen.ports.ports() {
                let place = Place {
                    transport: forward.transport,
                    namespace: listen_in.inode(),
                    address: forward.listen.address,
                    port,
                };
                let new = || Wish { lives: Vec::new(), namespace: Arc::clone(&listen_in) };
                wanted.places.entry(place).or_insert_with(new).lives.push(Arc::clone(&live));
            }
            wanted.forwards.insert(name.to_owned(), live);
        }
        if lines.is_empty() { Ok(wanted) } else { Err(ApplyError { lines }) }
    }

    fn namespace(
        &self,
        known: &mut HashMap<String, Arc<Namespace>>,
        name: Option<&str>,
    ) -> Result<Arc<Namespace>, String> {
        let Some(name) = name else {
            return Ok(Arc::clone(&self.home));
        };
        if let Some(namespace) = known.get(name) {
            return Ok(Arc::clone(namespace));
        }
        let opened =
            Namespace::named(&self.options.namespaces, name).map_err(|error| {
                match error.kind() {
                    io::ErrorKind::NotFound => format!("there is no namespace '{name}'"),
                    _ => format!("namespace '{name}': {error}"),
                }
            })?;
        let opened = Arc::new(opened);
        known.insert(name.to_owned(), Arc::clone(&opened));
        Ok(opened)
    }

    /// The same value where nothing changed; the same version where connections may stay.
    fn live(&mut self, name: &str, forward: &Forward, connect_in: Arc<Namespace>) -> Arc<Live> {
        let old = self.forwards.get(name);
        let same_place = |old: &&Arc<Live>| old.connect_in.inode() == connect_in.inode();
        if let Some(old) = old.filter(same_place).filter(|old| old.forward == *forward) {
            return Arc::clone(old);
        }
        let kept = old.filter(same_place).filter(|old| keeps_connections(&old.forward, forward));
        let version = kept.map_or(self.next_version, |old| old.version);
        let state = self.state_of(name);
        self.next_version += 1;
        Arc::new(Live { version, name: name.into(), forward: forward.clone(), connect_in, state })
    }

    fn bind(
        &self,
        place: Place,
        live: &Live,
        namespace: &Namespace,
        wanted: &Wanted,
        bound: &mut Bound,
    ) {
        match listener::bind(&live.forward, place.port, namespace) {
            Ok(socket) => bound.sockets.push((place, socket)),
            Err(error) if in_use::is(&error) && self.leaves(place, wanted) => {
                bound.later.push(place)
            }
            Err(error) => bound.lines.push(explain(live, place.port, namespace, &error)),
        }
    }

    /// Whether a listener that the new set does without has the port.
    fn leaves(&self, place: Place, wanted: &Wanted) -> bool {
        self.listeners.keys().any(|old| {
            (old.transport, old.namespace, old.port)
                == (place.transport, place.namespace, place.port)
                && !wanted.places.contains_key(old)
        })
    }

    fn change(&mut self, wanted: &Wanted, bound: Vec<(Place, Socket)>) {
        let mut listen = Vec::new();
        for (place, wish) in &wanted.places {
            if let (Some((listener, old)), Some(route)) =
                (self.listeners.get_mut(place), Route::new(wish.lives.clone()))
                && !old.is_same(&route)
            {
                old.clone_from(&route);
                listen.push((Arc::clone(listener), route));
            }
        }
        for (place, socket) in bound {
            listen.extend(wanted.places.get(&place).and_then(|wish| self.add(place, socket, wish)));
        }
        let gone: Vec<Place> = self
            .listeners
            .keys()
            .filter(|place| !wanted.places.contains_key(*place))
            .copied()
            .collect();
        let mut leaving = Vec::new();
        for place in gone {
            if let Some((listener, _)) = self.listeners.remove(&place) {
                listener.stop();
                leaving.push(listener);
            }
        }
        let unlisten: Vec<Key> = leaving.iter().map(|listener| listener.key).collect();
        self.tell(&listen, &unlisten, &self.cut(wanted));
        for key in unlisten {
            self.keys.remove(key);
        }
    }

    fn add(&mut self, place: Place, socket: Socket, wish: &Wish) -> Option<(Arc<Listener>, Route)> {
        let route = Route::new(wish.lives.clone())?;
        let (key, transport, port) = (self.keys.insert(()), place.transport, place.port);
        let listener = Arc::new(Listener { key, transport, port, socket });
        self.listeners.insert(place, (Arc::clone(&listener), route.clone()));
        Some((listener, route))
    }

    /// Versions that are not in the new set and whose forward says that their connections end.
    fn cut(&self, wanted: &Wanted) -> HashSet<u64> {
        let stays = |old: &Arc<Live>| {
            wanted.forwards.get(&*old.name).is_some_and(|live| live.version == old.version)
        };
        let cut = |old: &&Arc<Live>| old.forward.removal == Removal::Cut && !stays(old);
        self.forwards.values().filter(cut).map(|live| live.version).collect()
    }

    /// Tells every worker and waits until each has done it.
    fn tell(&self, listen: &[(Arc<Listener>, Route)], unlisten: &[Key], cut: &HashSet<u64>) {
        if listen.is_empty() && unlisten.is_empty() && cut.is_empty() {
            return;
        }
        let (done, finished) = channel();
        for worker in 0..self.peers.count() {
            let (listen, unlisten, cut) = (listen.to_vec(), unlisten.to_vec(), cut.clone());
            let change = Change { listen, unlisten, cut, done: done.clone() };
            self.peers.send(worker, Message::Change(change));
        }
        drop(done);
        // Ends early only if a worker has ended.
        while finished.recv().is_ok() {}
    }

    /// The places that had to be left first. The set is in force by now, so what fails here is told
    /// and left out.
    fn bind_later(&mut self, wanted: &Wanted, places: &[Place]) -> Vec<String> {
        let mut lines = Vec::new();
        for place in places {
            let Some(wish) = wanted.places.get(place) else {
                continue;
            };
            let Wish { lives, namespace } = wish;
            let live = &lives[0];
            match listener::bind(&live.forward, place.port, namespace) {
                Ok(socket) => {
                    let added = self.add(*place, socket, wish);
                    self.tell(added.as_slice(), &[], &HashSet::new());
                }
                Err(error) => lines.push(explain(live, place.port, namespace, &error)),
            }
        }
        lines
    }
}

/// Whether the connections of the old forward are good ones of the new one.
fn keeps_connections(old: &Forward, new: &Forward) -> bool {
    let leads = |forward: &Forward| {
        let Forward { listen, connect, limits, proxies, proxy_protocol, sni, .. } = forward.clone();
        (listen, connect, limits.sources, proxies, proxy_protocol, sni)
    };
    leads(old) == leads(new)
}

/// The kernel's error in words that say what to do.
fn explain(live: &Live, port: u16, namespace: &Namespace, error: &io::Error) -> String {
    let listen = crate::ListenOn {
        ports: navigator_model::L4Port::new(port)
            .map_or(live.forward.listen.ports, navigator_model::L4PortRange::single),
        ..live.forward.listen.clone()
    };
    let reason = match error.raw_os_error() {
        Some(libc::EADDRINUSE) => {
            let by = namespace.run(|| in_use::holders(live.forward.transport, port));
            in_use::sentence(&by.unwrap_or_default())
        }
        Some(libc::EADDRNOTAVAIL) => "is not an address of this host".to_owned(),
        Some(libc::EACCES) => {
            "may not be used: low ports need the capability CAP_NET_BIND_SERVICE".to_owned()
        }
        Some(libc::EPERM) => {
            "cannot be had: entering a namespace needs the capability CAP_SYS_ADMIN".to_owned()
        }
        _ => format!("cannot be had: {error}"),
    };
    format!("forward.{}: listen: {listen} {reason}", live.name)
}
