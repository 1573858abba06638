//! Who asks. Three ways to know: none (for loopback: everybody is the administrator), HTTP basic
//! with an htpasswd file, and Keystone's tokens. Identity is never read from any other header.

mod basic;
mod keystone;

use std::{collections::HashMap, path::Path, sync::Arc};

use axum::http::request::Parts;
use navigator_resources::Caller;

use crate::fault::Fault;

pub use basic::HtpasswdError;
pub use keystone::{
    Endpoint, KeystoneConfig, KeystoneError, Registrar, Registration, ServiceAccess,
};

/// The project of the mode without identity.
const LOCAL_PROJECT: &str = "00000000000000000000000000000001";

pub struct Identity(Way);

enum Way {
    None,
    Basic(Arc<basic::Basic>),
    Keystone(Arc<keystone::Keystone>),
}

impl Identity {
    /// Everybody is the administrator. Only for a server that listens on loopback.
    pub fn none() -> Self {
        Self(Way::None)
    }

    /// Reads `user:hash` lines. A user's project is the one in `projects`, or an id derived from the
    /// user's name. Their roles are those in `roles`, each with the roles that it implies, and `admin`
    /// for those in `admins`; of whom neither says anything is a member.
    pub fn basic(
        path: &Path,
        admins: &[String],
        projects: &HashMap<String, String>,
        roles: &HashMap<String, Vec<String>>,
    ) -> Result<Self, HtpasswdError> {
        Ok(Self(Way::Basic(Arc::new(basic::Basic::read(path, admins, projects, roles)?))))
    }

    /// Tokens of a Keystone, which is not asked anything yet.
    pub fn keystone(config: &KeystoneConfig) -> Result<Self, KeystoneError> {
        Ok(Self(Way::Keystone(Arc::new(keystone::Keystone::new(config)?))))
    }

    /// The caller of a request.
    pub(crate) async fn caller(&self, request: &Parts) -> Result<Caller, Fault> {
        match &self.0 {
            Way::None => Ok(Caller::new(LOCAL_PROJECT, "local").with_roles(["admin", "service"])),
            Way::Basic(basic) => basic.caller(&request.headers).await,
            Way::Keystone(keystone) => keystone.caller(request).await,
        }
    }

    /// Of the cache of tokens, if there is one.
    pub(crate) fn tokens(&self) -> Option<TokenFigures> {
        match &self.0 {
            Way::Keystone(keystone) => Some(keystone.figures()),
            Way::None | Way::Basic(_) => None,
        }
    }
}

/// Counted since the start; entries and bytes as of now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TokenFigures {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Questions that Keystone did not answer.
    pub(crate) unanswered: u64,
    pub(crate) known: u64,
    pub(crate) refused: u64,
    pub(crate) bytes: u64,
}
