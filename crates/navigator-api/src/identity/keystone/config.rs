//! The `[identity.keystone]` table; names as in Neutron's `[keystone_authtoken]`.

use std::{path::PathBuf, time::Duration};

use axum::http::HeaderValue;
use jiff::SignedDuration;
use navigator_tls::TlsOptions;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{KeystoneError, client::Http, session::Login};

#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeystoneConfig {
    /// Where the server reaches Keystone: `http://keystone:5000`.
    pub auth_url: String,
    /// Where clients that come without a token are sent; `auth_url` if it is empty.
    pub www_authenticate_uri: String,
    /// PEM file: the authorities that may vouch for Keystone; without one, those of the system.
    pub cafile: PathBuf,
    /// PEM files: what Keystone is shown, if it wants a certificate.
    pub certfile: PathBuf,
    pub keyfile: PathBuf,
    /// Whoever answers at `auth_url` is believed, whatever its certificate says.
    pub insecure: bool,
    /// The service's own user.
    pub username: String,
    pub password: String,
    pub user_domain_name: String,
    /// Instead of the name, if it is not empty.
    pub user_domain_id: String,
    pub project_name: String,
    pub project_domain_name: String,
    pub project_domain_id: String,
    /// Seconds that an answer of Keystone about a token is remembered: as long as a revoked token
    /// may still be taken. 0 asks every time.
    pub cache_s: u64,
    /// Seconds that Keystone has to answer.
    pub timeout_s: u64,
    /// A service token with one of these roles lets the user's token have expired.
    pub service_token_roles: Vec<String>,
    /// Seconds after its end that a user's token is still taken beside a service token, at most; the
    /// same as Keystone's `[token] allow_expired_window`.
    pub allow_expired_window_s: u64,
}

impl Default for KeystoneConfig {
    fn default() -> Self {
        Self {
            auth_url: "http://127.0.0.1:5000".to_owned(),
            www_authenticate_uri: String::new(),
            cafile: PathBuf::new(),
            certfile: PathBuf::new(),
            keyfile: PathBuf::new(),
            insecure: false,
            username: "neutron".to_owned(),
            password: String::new(),
            user_domain_name: "Default".to_owned(),
            user_domain_id: String::new(),
            project_name: "service".to_owned(),
            project_domain_name: "Default".to_owned(),
            project_domain_id: String::new(),
            cache_s: 10,
            timeout_s: 5,
            service_token_roles: vec!["service".to_owned()],
            allow_expired_window_s: 172_800,
        }
    }
}

/// Everything but the password.
impl std::fmt::Debug for KeystoneConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeystoneConfig")
            .field("auth_url", &self.auth_url)
            .field("username", &self.username)
            .field("project_name", &self.project_name)
            .finish_non_exhaustive()
    }
}

fn domain(id: &str, name: &str) -> Value {
    if id.is_empty() { json!({ "name": name }) } else { json!({ "id": id }) }
}

impl KeystoneConfig {
    pub(super) fn session(&self) -> Result<(Http, Login), KeystoneError> {
        if self.password.is_empty() {
            return Err(KeystoneError::Setup("identity.keystone.password is missing".to_owned()));
        }
        let login = Login {
            username: self.username.clone(),
            password: self.password.clone(),
            user_domain: domain(&self.user_domain_id, &self.user_domain_name),
            project_name: self.project_name.clone(),
            project_domain: domain(&self.project_domain_id, &self.project_domain_name),
        };
        Ok((Http::new(&self.auth_url, self.timeout(), &self.tls())?, login))
    }

    fn tls(&self) -> TlsOptions {
        TlsOptions {
            cafile: self.cafile.clone(),
            certfile: self.certfile.clone(),
            keyfile: self.keyfile.clone(),
            insecure: self.insecure,
        }
    }

    /// What a client without a token is told.
    pub(super) fn challenge(&self) -> Result<HeaderValue, KeystoneError> {
        let uri = Some(&self.www_authenticate_uri).filter(|uri| !uri.is_empty());
        let uri = uri.unwrap_or(&self.auth_url);
        HeaderValue::try_from(format!("Keystone uri=\"{uri}\""))
            .map_err(|_| KeystoneError::Setup("www_authenticate_uri: not a URL".to_owned()))
    }

    pub(super) fn cache_lifetime(&self) -> Duration {
        Duration::from_secs(self.cache_s)
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s.max(1))
    }

    pub(super) fn expired_window(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::try_from(self.allow_expired_window_s).unwrap_or(i64::MAX))
    }
}
