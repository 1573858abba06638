//! HTTP basic with an htpasswd file of bcrypt hashes.

use std::{
    collections::HashMap,
    num::NonZero,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderValue, header};
use navigator_model::ProjectId;
use navigator_resources::Caller;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::fault::Fault;

/// bcrypt is slow on purpose: a verified password is remembered this long, by digest.
const REMEMBERED: Duration = Duration::from_secs(60);

pub(super) struct Basic {
    users: HashMap<String, User>,
    /// Whoever guesses passwords gets half of the machine at most.
    verifying: Semaphore,
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

fn refused() -> Fault {
    Fault::Unauthorized { challenge: HeaderValue::from_static("Basic realm=\"Navigator\"") }
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
    /// Reads `user:hash` lines. A user's project is the one in `projects`, or an id derived from the
    /// user's name. Their roles are those in `roles`, each with what it implies, and `admin` for those
    /// in `admins`; of whom neither says anything is a member.
    pub(super) fn read(
        path: &Path,
        admins: &[String],
        projects: &HashMap<String, String>,
        roles: &HashMap<String, Vec<String>>,
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
            let mut own = roles.get(user).cloned().unwrap_or_default();
            if admins.iter().any(|admin| admin == user) {
                own.push("admin".to_owned());
            } else if !roles.contains_key(user) {
                own.push("member".to_owned());
            }
            let caller = Caller::new(ProjectId(project), user).with_roles(own);
            users.insert(user.to_owned(), User { bcrypt_hash: hash.to_owned(), caller });
        }
        let cores = available_parallelism().map_or(1, NonZero::get);
        let verifying = Semaphore::new((cores / 2).max(1));
        Ok(Self { users, verifying, verified: Mutex::default() })
    }

    pub(super) async fn caller(self: &Arc<Self>, headers: &HeaderMap) -> Result<Caller, Fault> {
        let (user, password) = credentials(headers).ok_or_else(refused)?;
        let digest: [u8; 32] = Sha256::digest(password.as_bytes()).into();
        let key = (user, digest);
        if self.remembers(&key) {
            return self.users.get(&key.0).map(|user| user.caller.clone()).ok_or_else(refused);
        }
        let _turn = self.verifying.acquire().await.map_err(|_| refused())?;
        let basic = Arc::clone(self);
        let verified = tokio::task::spawn_blocking(move || basic.verify(key, &password));
        verified.await.map_err(|_| refused())?
    }

    fn remembers(&self, key: &(String, [u8; 32])) -> bool {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.retain(|_, at| at.elapsed() < REMEMBERED);
        verified.contains_key(key)
    }

    fn verify(&self, key: (String, [u8; 32]), password: &str) -> Result<Caller, Fault> {
        let user = self.users.get(&key.0).ok_or_else(refused)?;
        if !bcrypt::verify(password, &user.bcrypt_hash).unwrap_or(false) {
            return Err(refused());
        }
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Instant::now());
        Ok(user.caller.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fuzz_htpasswd_lines(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            "([a-z:#$ ]{0,8}(:[$]2[aby][$]04[$][A-Za-z0-9./]{0,53})?\n){0,4}"
                .prop_map(String::into_bytes),
        ]) {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            let (projects, roles) = (HashMap::new(), HashMap::new());
            if let Ok(basic) = Basic::read(file.path(), &[], &projects, &roles) {
                for (name, user) in &basic.users {
                    prop_assert!(!name.is_empty() && !user.caller.is_admin);
                    // Whatever the hash is, no password of one's choice fits it.
                    let key = (name.clone(), [0; 32]);
                    prop_assert!(basic.verify(key, "guessed").is_err());
                }
            }
        }

        #[test]
        fn fuzz_authorization(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "(?i)basic {0,2}[A-Za-z0-9+/=]{0,40}".prop_map(String::into_bytes),
        ]) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                credentials(&HeaderMap::from_iter([(header::AUTHORIZATION, value)]));
            }
        }
    }
}
