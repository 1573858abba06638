//! A user's own token: fetched with the password when it is first needed, again before it expires,
//! and again when Keystone says that it is not good any more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    KeystoneError,
    client::{Answer, Http, secret},
};

/// A token is renewed when it has less than this left.
const MARGIN: Duration = Duration::from_secs(60);

/// Who logs in, and for which project.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) user_domain: Value,
    pub(super) project_name: String,
    pub(super) project_domain: Value,
}

#[derive(Clone)]
struct Own {
    token: HeaderValue,
    renew_at: Instant,
}

pub(super) struct Session {
    pub(super) http: Http,
    login: Login,
    own: Mutex<Option<Own>>,
}

impl Session {
    pub(super) fn new(http: Http, login: Login) -> Arc<Self> {
        Arc::new(Self { http, login, own: Mutex::new(None) })
    }

    /// Sends with the own token; once more with a new one where Keystone refuses it.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, HeaderValue)],
        body: Option<&Value>,
    ) -> Result<Answer, KeystoneError> {
        let mut refused = None;
        loop {
            let token = self.token(refused.as_ref()).await?;
            let mut headers = headers.to_vec();
            headers.push(("x-auth-token", token.clone()));
            let answer = self.http.send(method.clone(), path, &headers, body).await?;
            if answer.status != StatusCode::UNAUTHORIZED || refused.is_some() {
                return Ok(answer);
            }
            refused = Some(token);
        }
    }

    /// Whoever comes while it is fetched waits for it.
    pub(super) async fn token(
        &self,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, KeystoneError> {
        let mut own = self.own.lock().await;
        if let Some(own) = &*own
            && own.renew_at > Instant::now()
            && Some(&own.token) != refused
        {
            return Ok(own.token.clone());
        }
        let fresh = self.authenticate().await?;
        *own = Some(fresh.clone());
        Ok(fresh.token)
    }

    async fn authenticate(&self) -> Result<Own, KeystoneError> {
        let Login { username, password, user_domain, project_name, project_domain } = &self.login;
        let user = json!({"name": username, "password": password, "domain": user_domain});
        let project = json!({"name": project_name, "domain": project_domain});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": project},
        }});
        let answer =
            self.http.send(Method::POST, "/auth/tokens?nocatalog", &[], Some(&body)).await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(KeystoneError::Login(username.clone(), answer.status.as_u16()));
            }
            status => return Err(KeystoneError::Answer(format!("{status} to a login"))),
        }
        let token = answer.headers.get("x-subject-token").and_then(|value| value.to_str().ok());
        let token = token.ok_or_else(|| KeystoneError::Answer("a login without a token".into()))?;
        let expires: Option<Timestamp> =
            answer.json()?["token"]["expires_at"].as_str().and_then(|text| text.parse().ok());
        let left = expires.map_or(0, |at| at.as_second() - Timestamp::now().as_second());
        let left = Duration::from_secs(u64::try_from(left).unwrap_or(0));
        // Of a very short life, the first half is used.
        let used = left.saturating_sub(MARGIN).max(left / 2);
        Ok(Own { token: secret(token)?, renew_at: Instant::now() + used })
    }
}
