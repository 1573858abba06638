//! A contract fake of Keystone: a small server that speaks the documents of its v3 API exactly as far
//! as Navigator, the stock client and the tests use them, and that can be made slow, absent or
//! unreliable. It is no Keystone: what it says about tokens follows Keystone's documented behaviour
//! (roles and enabled flags are looked at when a token is validated, as with Fernet tokens).
//!
//! Tests that need nothing but the API also run against a real one: see [`Cloud::at_hand`].

mod account;
mod router;
mod world;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

pub use account::{Account, Cloud};
use world::World;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Connections end without an answer.
    Down,
    /// Every answer takes this long.
    Slow(Duration),
    /// Every third request ends without an answer.
    Flapping,
    /// Every answer is this status.
    Failing(u16),
}

struct Shared {
    world: Mutex<World>,
    trouble: Mutex<Trouble>,
    requests: AtomicUsize,
    validations: AtomicUsize,
}

/// A running one; it ends when it is dropped.
pub struct Keystone {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
        listener.set_nonblocking(true).expect("a socket for tokio");
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(&format!("http://{address}"))),
            trouble: Mutex::new(Trouble::None),
            requests: AtomicUsize::new(0),
            validations: AtomicUsize::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(listener, own, stopped));
        Self { shared, address, stop: Some(stop), thread: Some(thread) }
    }

    /// `http://host:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn trouble(&self, trouble: Trouble) {
        *lock(&self.shared.trouble) = trouble;
    }

    /// How often it was asked about a token.
    pub fn validations(&self) -> usize {
        self.shared.validations.load(Ordering::SeqCst)
    }

    /// Lets a token end this many seconds from now; before now if it is negative.
    pub fn expire(&self, token: &str, in_s: i64) {
        lock(&self.shared.world).expire(token, in_s);
    }

    /// Forgets every token of a user, as a restart with new keys would.
    pub fn forget_tokens_of(&self, username: &str) {
        lock(&self.shared.world).forget_tokens_of(username);
    }
}

impl Drop for Keystone {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: TcpListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let accept = async {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stopped => {}
        }
    });
}

type Answer = Response<Full<Bytes>>;

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Answer> {
    let trouble = *lock(&shared.trouble);
    let number = shared.requests.fetch_add(1, Ordering::SeqCst);
    match trouble {
        // An error closes the connection.
        Trouble::Down => return Err(io::Error::other("down")),
        Trouble::Flapping if number.is_multiple_of(3) => return Err(io::Error::other("flapping")),
        Trouble::Slow(delay) => tokio::time::sleep(delay).await,
        Trouble::Failing(status) => {
            let mut answer = Answer::new(Full::default());
            *answer.status_mut() = status.try_into().unwrap_or_default();
            return Ok(answer);
        }
        Trouble::None | Trouble::Flapping => {}
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if parts.method == "GET" && parts.uri.path() == "/v3/auth/tokens" {
        shared.validations.fetch_add(1, Ordering::SeqCst);
    }
    Ok(router::answer(&mut lock(&shared.world), &parts, &body))
}
