//! Keystone's tokens. Each is shown to Keystone, with the service's own token, and the answer is
//! remembered for some seconds. While Keystone is away, remembered tokens go on until then and others
//! are answered 503: never is somebody let in, or told to log in again, because nobody could be asked.
//!
//! A valid token of a service beside the user's (`X-Service-Token`) lets the user's have expired
//! within Keystone's window: long work of Nova's outlives its user's token.

mod access_rule;
mod cache;
mod client;
mod config;
mod register;
mod service_access;
mod session;
mod token;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, request::Parts};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use jiff::{SignedDuration, Timestamp};
use navigator_resources::Caller;
use tokio::sync::Semaphore;

use super::TokenFigures;
use crate::fault::Fault;
use cache::{Cache, Expiry, Key, key};
use client::secret;
pub use config::KeystoneConfig;
pub use register::{Endpoint, Registrar, Registration};
pub use service_access::ServiceAccess;
use session::Session;
use token::Token;

/// Longer ones are refused without asking, in bytes. Fernet tokens have some 250; web servers take header
/// lines of up to 8,190 bytes, so that Keystone would never see a longer one.
const TOKEN_LIMIT: usize = 8_000;
/// Tokens that Keystone is asked about at the same time. Whoever comes then waits.
const QUESTIONS: usize = 64;

#[derive(Clone, Debug, thiserror::Error)]
pub enum KeystoneError {
    /// A configuration that cannot work.
    #[error("Keystone: {0}")]
    Setup(String),
    #[error("Keystone does not answer: {0}")]
    Unreachable(String),
    #[error("Keystone does not let '{0}' in: {1}")]
    Login(String, u16),
    #[error("Keystone's answer was not understood: {0}")]
    Answer(String),
}

/// `Ok(None)`: Keystone does not know the token.
type Verdict = Result<Option<Arc<Token>>, KeystoneError>;

pub(crate) struct Keystone {
    session: Arc<Session>,
    challenge: HeaderValue,
    service_roles: Vec<String>,
    expired_window: SignedDuration,
    patience: Duration,
    cache: Mutex<Cache>,
    /// What is being asked about right now: whoever has the same question waits for its answer.
    asked: Mutex<HashMap<Key, Shared<BoxFuture<'static, Verdict>>>>,
    questions: Semaphore,
    hits: AtomicU64,
    misses: AtomicU64,
    unanswered: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keystone {
    pub(super) fn new(config: &KeystoneConfig) -> Result<Self, KeystoneError> {
        let (http, login) = config.session()?;
        Ok(Self {
            session: Session::new(http, login),
            challenge: config.challenge()?,
            service_roles: config.service_token_roles.clone(),
            expired_window: config.expired_window(),
            patience: config.timeout(),
            cache: Mutex::new(Cache::new(config.cache_lifetime())),
            asked: Mutex::default(),
            questions: Semaphore::new(QUESTIONS),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
        })
    }

    pub(super) async fn caller(self: &Arc<Self>, request: &Parts) -> Result<Caller, Fault> {
        let service = match header(&request.headers, "x-service-token") {
            Header::Absent => None,
            Header::Unusable => return Err(self.refused()),
            Header::Token(token) => Some(self.valid(token, Expiry::Enforced).await?),
        };
        let vouched = service.as_ref().is_some_and(|service| self.is_service(service));
        let Header::Token(token) = header(&request.headers, "x-auth-token") else {
            return Err(self.refused());
        };
        let expiry = if vouched { Expiry::Forgiven } else { Expiry::Enforced };
        let user = self.valid(token, expiry).await?;
        // What a service does on the way is not what the user asked for.
        if !vouched && !user.allows(request.method.as_str(), request.uri.path()) {
            return Err(self.refused());
        }
        Ok(user.caller(service.as_deref()))
    }

    pub(super) fn figures(&self) -> TokenFigures {
        let cache = lock(&self.cache);
        let (known, refused) = cache.len();
        TokenFigures {
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
            known: known as u64,
            refused: refused as u64,
            bytes: cache.bytes() as u64,
        }
    }

    fn refused(&self) -> Fault {
        Fault::Unauthorized { challenge: self.challenge.clone() }
    }

    fn is_service(&self, token: &Token) -> bool {
        self.service_roles.iter().any(|role| token.roles().contains(role))
    }

    async fn valid(self: &Arc<Self>, token: &str, expiry: Expiry) -> Result<Arc<Token>, Fault> {
        let verdict = self.verdict(token, expiry).await.map_err(|error| {
            self.unanswered.fetch_add(1, Relaxed);
            tracing::error!(%error, "a token could not be validated");
            Fault::IdentityUnavailable
        })?;
        let token = verdict.ok_or_else(|| self.refused())?;
        let now = Timestamp::now();
        let good = match expiry {
            Expiry::Enforced => token.expires_at > now,
            // Keystone says so too; a token must not live longer by being remembered.
            Expiry::Forgiven => now.duration_since(token.expires_at) < self.expired_window,
        };
        if good { Ok(token) } else { Err(self.refused()) }
    }

    async fn verdict(self: &Arc<Self>, token: &str, expiry: Expiry) -> Verdict {
        let key = key(token, expiry);
        let known = lock(&self.cache).get(&key, Instant::now());
        if let Some(verdict) = known {
            self.hits.fetch_add(1, Relaxed);
            return Ok(verdict);
        }
        self.misses.fetch_add(1, Relaxed);
        let question = {
            let mut asked = lock(&self.asked);
            let ask = || {
                let (keystone, token) = (Arc::clone(self), token.to_owned());
                async move { keystone.ask(key, token).await }.boxed().shared()
            };
            asked.entry(key).or_insert_with(ask).clone()
        };
        question.await
    }

    /// Asks, remembers, and lets the next one ask anew.
    async fn ask(self: Arc<Self>, key: Key, token: String) -> Verdict {
        let at = Instant::now();
        let verdict = match tokio::time::timeout(self.patience, self.questions.acquire()).await {
            Ok(Ok(_one)) => self.describe(&token, key.1).await,
            _ => Err(KeystoneError::Unreachable("too many questions are open".to_owned())),
        };
        if let Ok(token) = &verdict {
            lock(&self.cache).insert(key, token.clone(), at);
        }
        lock(&self.asked).remove(&key);
        verdict
    }

    async fn describe(&self, token: &str, expiry: Expiry) -> Verdict {
        let headers = [
            ("x-subject-token", secret(token)?),
            // Without it, Keystone does not know tokens that have access rules: they would not be
            // held to.
            ("openstack-identity-access-rules", HeaderValue::from_static("1.0")),
        ];
        let path = match expiry {
            Expiry::Enforced => "/auth/tokens?nocatalog",
            Expiry::Forgiven => "/auth/tokens?nocatalog&allow_expired=1",
        };
        let answer = self.session.send(Method::GET, path, &headers, None).await?;
        match answer.status {
            StatusCode::OK => Token::parse(&answer.body)
                .map(|token| Some(Arc::new(token)))
                .map_err(|error| KeystoneError::Answer(error.to_string())),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(KeystoneError::Answer(format!(
                    "{}: the service's user may not validate tokens; give it the role 'service'",
                    answer.status
                )))
            }
            status => Err(KeystoneError::Answer(format!("{status} to a validation"))),
        }
    }
}

enum Header<'a> {
    Absent,
    /// Too long, not printable, or more than one.
    Unusable,
    Token(&'a str),
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Header<'a> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Header::Absent };
    match value.to_str() {
        Ok(token) if !token.is_empty() && token.len() <= TOKEN_LIMIT && values.next().is_none() => {
            Header::Token(token)
        }
        _ => Header::Unusable,
    }
}
