//! Who asks. Two embedded modes: none (for loopback: everybody is the administrator) and HTTP basic
//! with an htpasswd file of bcrypt hashes. Identity is never read from any other header.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header};
use navigator_model::ProjectId;
use navigator_resources::Caller;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::fault::Fault;

/// bcrypt is slow on purpose: a verified password is remembered this long, by digest.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The project of the mode without identity.
const LOCAL_PROJECT: &str = "00000000000000000000000000000001";

pub enum Identity {
    /// Everybody is the administrator. The server only listens on loopback in this mode.
    None,
    Basic(Basic),
}

pub struct Basic {
    users: HashMap<String, User>,
    verified: Mutex<HashMap<(String, [u8; 32]), Instant>>,
}

struct User {
    bcrypt_hash: String,
    caller: Caller,
}

#[derive(Debug, thiserror::Error)]
pub enum HtpasswdError {
    #[error("cannot read {path}: {source}")]
    Read { path: String, source: std::io::Error },
    #[error("{path}:{line}: expected user:bcrypt-hash (htpasswd -B)")]
    Line { path: String, line: usize },
}

impl Identity {
    /// Reads `user:hash` lines. A user's project is the one in `projects`, or an id derived from the
    /// user's name.
    pub fn basic(
        path: &Path,
        admins: &[String],
        projects: &HashMap<String, String>,
    ) -> Result<Self, HtpasswdError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| HtpasswdError::Read { path: name.clone(), source })?;
        let mut users = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash) = line
                .split_once(':')
                .filter(|(user, hash)| !user.is_empty() && hash.starts_with("$2"))
                .ok_or_else(|| HtpasswdError::Line { path: name.clone(), line: index + 1 })?;
            let project = projects.get(user).cloned().unwrap_or_else(|| project_of(user));
            let is_admin = admins.iter().any(|admin| admin == user);
            let role = if is_admin { "admin" } else { "member" };
            let caller =
                Caller { is_admin, ..Caller::new(ProjectId(project), user).with_roles([role]) };
            users.insert(user.to_owned(), User { bcrypt_hash: hash.to_owned(), caller });
        }
        Ok(Self::Basic(Basic { users, verified: Mutex::default() }))
    }

    /// The caller of a request with these headers.
    pub(crate) async fn caller(
        self: &std::sync::Arc<Self>,
        headers: &HeaderMap,
    ) -> Result<Caller, Fault> {
        match self.as_ref() {
            Self::None => Ok(Caller::administrator(LOCAL_PROJECT, "local")),
            Self::Basic(basic) => {
                let (user, password) = credentials(headers).ok_or(Fault::Unauthorized)?;
                let digest: [u8; 32] = Sha256::digest(password.as_bytes()).into();
                let key = (user, digest);
                if basic.remembers(&key) {
                    return basic
                        .users
                        .get(&key.0)
                        .map(|u| u.caller.clone())
                        .ok_or(Fault::Unauthorized);
                }
                let identity = std::sync::Arc::clone(self);
                tokio::task::spawn_blocking(move || match identity.as_ref() {
                    Self::Basic(basic) => basic.verify(key, &password),
                    Self::None => Err(Fault::Unauthorized),
                })
                .await
                .map_err(|_| Fault::Unauthorized)?
            }
        }
    }
}

/// Keystone-like: 32 hexadecimal digits.
fn project_of(user: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, user.as_bytes()).simple().to_string()
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(decode_base64(encoded.trim())?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// RFC 4648 base64 with or without padding.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

impl Basic {
    fn remembers(&self, key: &(String, [u8; 32])) -> bool {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.retain(|_, at| at.elapsed() < REMEMBERED);
        verified.contains_key(key)
    }

    fn verify(&self, key: (String, [u8; 32]), password: &str) -> Result<Caller, Fault> {
        let user = self.users.get(&key.0).ok_or(Fault::Unauthorized)?;
        if !bcrypt::verify(password, &user.bcrypt_hash).unwrap_or(false) {
            return Err(Fault::Unauthorized);
        }
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Instant::now());
        Ok(user.caller.clone())
    }
}
