//! A contract fake of Keystone: a small server that speaks the documents of its v3 API exactly as far
//! as Navigator, the stock client and the tests use them, and that can be made slow, absent or
//! unreliable. It is no Keystone: what it says about tokens follows Keystone's documented behaviour
//! (roles and enabled flags are looked at when a token is validated, as with Fernet tokens).
//!
//! The same tests run against a real one: see [`Cloud::at_hand`].

mod account;
mod front;
mod listening;
mod router;
mod trials;
mod world;

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;

pub use account::{Account, Cloud, Lasting};
use listening::Listening;
pub use trials::Trouble;
use trials::{Fate, Trials};
use world::World;

struct Shared {
    world: Mutex<World>,
    trials: Trials,
}

/// A running one; it ends when it is dropped.
pub struct Keystone {
    shared: Arc<Shared>,
    listening: Listening,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keystone {
    /// On a free port of the loopback.
    pub fn start() -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    /// On a socket that may belong to a host of namespaces.
    pub fn start_on(listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("an address");
        let world = Mutex::new(World::new(&format!("http://{address}")));
        let shared = Arc::new(Shared { world, trials: Trials::default() });
        let own = Arc::clone(&shared);
        let listening = Listening::start(listener, move |stream| {
            let shared = Arc::clone(&own);
            async move {
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            }
        });
        Self { shared, listening }
    }

    /// `http://host:port`
    pub fn url(&self) -> String {
        self.listening.url()
    }

    pub(crate) fn trials(&self) -> &Trials {
        &self.shared.trials
    }

    /// Lets a token end this many seconds from now; before now if it is negative.
    pub(crate) fn expire(&self, token: &str, in_s: i64) {
        lock(&self.shared.world).expire(token, in_s);
    }

    /// Forgets every token of a user, as a restart with new keys would.
    pub(crate) fn forget_tokens_of(&self, username: &str) {
        lock(&self.shared.world).forget_tokens_of(username);
    }

    /// How long tokens are good that are given out from now on.
    pub(crate) fn let_tokens_last(&self, seconds: i64) {
        lock(&self.shared.world).lifetime_s = seconds;
    }
}

type Answer = Response<Full<Bytes>>;

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Answer> {
    let (parts, body) = request.into_parts();
    match shared.trials.meet(parts.method.as_str(), parts.uri.path()).await {
        // An error closes the connection.
        Fate::Ended => return Err(io::Error::other("in trouble")),
        Fate::Answered(status) => {
            let mut answer = Answer::new(Full::default());
            *answer.status_mut() = status.try_into().unwrap_or_default();
            return Ok(answer);
        }
        Fate::Served => {}
    }
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    Ok(router::answer(&mut lock(&shared.world), &parts, &body))
}
