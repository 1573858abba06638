//! The service's own token for requests to other services of the cloud.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderValue;
use futures::{FutureExt as _, future::BoxFuture};

use super::{KeystoneConfig, KeystoneError, session::Session};
use crate::nova::{Access, AccessSource};

/// Logs in when it is first needed, and again before its token ends or once it was refused.
pub struct ServiceAccess {
    session: Arc<Session>,
    endpoint: String,
    refused: Mutex<Option<HeaderValue>>,
}

impl ServiceAccess {
    /// `endpoint` is the other service's.
    pub fn new(user: &KeystoneConfig, endpoint: String) -> Result<Self, KeystoneError> {
        let (http, login) = user.session()?;
        Ok(Self { session: Session::new(http, login), endpoint, refused: Mutex::default() })
    }

    fn refused_token(&self) -> Option<HeaderValue> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl AccessSource for ServiceAccess {
    fn access(&self) -> BoxFuture<'_, Result<Access, String>> {
        async move {
            let refused = self.refused_token();
            let token = self.session.token(refused.as_ref()).await;
            let token = token.map_err(|error| error.to_string())?;
            let token = token.to_str().map_err(|error| error.to_string())?.to_owned();
            Ok(Access { endpoint: self.endpoint.clone(), token })
        }
        .boxed()
    }

    fn refused(&self, token: &str) {
        let token = HeaderValue::from_str(token).ok();
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}
