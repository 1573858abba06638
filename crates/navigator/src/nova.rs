//! The `[nova]` table: where the compute service is told what became of its servers' ports.

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use navigator_api::{Access, AccessSource, KeystoneConfig, NovaClient, ServiceAccess, tell_nova};
use navigator_store::Store;
use navigator_tls::TlsOptions;
use serde::Deserialize;

#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NovaConfig {
    /// Such as `http://nova.example:8774/v2.1`. Empty: nobody is told.
    endpoint: String,
    /// Sent as `X-Auth-Token`; without it, Keystone gives one to the user of `[nova.keystone]`.
    token: String,
    keystone: KeystoneConfig,
    /// PEM file: the authorities that may vouch for the compute service; without one, those of the
    /// system.
    cafile: PathBuf,
    /// PEM files: what the compute service is shown, if it wants a certificate.
    certfile: PathBuf,
    keyfile: PathBuf,
    /// Whoever answers at `endpoint` is believed, whatever its certificate says.
    insecure: bool,
    /// Seconds between requests, at least.
    send_events_interval_s: u64,
}

impl Default for NovaConfig {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            token: String::new(),
            keystone: KeystoneConfig::default(),
            cafile: PathBuf::new(),
            certfile: PathBuf::new(),
            keyfile: PathBuf::new(),
            insecure: false,
            send_events_interval_s: 2,
        }
    }
}

/// Everything but the token.
impl std::fmt::Debug for NovaConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NovaConfig").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl NovaConfig {
    pub(crate) fn is_told(&self) -> bool {
        !self.endpoint.is_empty()
    }

    fn source(&self) -> anyhow::Result<Arc<dyn AccessSource>> {
        let endpoint = self.endpoint.clone();
        if !self.token.is_empty() {
            return Ok(Arc::new(Access { endpoint, token: self.token.clone() }));
        }
        let access = ServiceAccess::new(&self.keystone, endpoint);
        Ok(Arc::new(access.context("nova.keystone, or nova.token, is needed")?))
    }

    fn client(&self) -> anyhow::Result<NovaClient> {
        let tls = TlsOptions {
            cafile: self.cafile.clone(),
            certfile: self.certfile.clone(),
            keyfile: self.keyfile.clone(),
            insecure: self.insecure,
        };
        NovaClient::new(&self.endpoint, &tls).with_context(|| format!("nova: {}", self.endpoint))
    }

    /// Tells the compute service, for ever; without one, it only never ends.
    pub(crate) fn tell(&self, store: Store) -> anyhow::Result<impl Future<Output = ()> + use<>> {
        let told = if self.is_told() { Some((self.source()?, self.client()?)) } else { None };
        let interval = Duration::from_secs(self.send_events_interval_s.max(1));
        Ok(async move {
            match told {
                Some((source, client)) => tell_nova(store, source, client, interval).await,
                None => std::future::pending::<()>().await,
            }
        })
    }
}
