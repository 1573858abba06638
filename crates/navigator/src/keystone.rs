//! `navigator keystone register`: makes Keystone know the service.

use std::path::PathBuf;

use anyhow::Context as _;
use navigator_api::{Endpoint, KeystoneConfig, Registrar, Registration as Wanted};

use crate::config::Config;

/// The administrator's account comes from the usual environment; the service's user from the
/// configuration (`[identity.keystone]`).
#[derive(clap::Args, Clone)]
pub(crate) struct Registration {
    /// Keystone, if it is not the one of the configuration.
    #[arg(long, env = "OS_AUTH_URL")]
    os_auth_url: Option<String>,
    #[arg(long, env = "OS_USERNAME", default_value = "admin")]
    os_username: String,
    #[arg(long, env = "OS_PASSWORD", hide_env_values = true)]
    os_password: String,
    #[arg(long, env = "OS_PROJECT_NAME", default_value = "admin")]
    os_project_name: String,
    #[arg(long, env = "OS_USER_DOMAIN_NAME", default_value = "Default")]
    os_user_domain_name: String,
    #[arg(long, env = "OS_PROJECT_DOMAIN_NAME", default_value = "Default")]
    os_project_domain_name: String,
    /// The authorities that may vouch for Keystone, if they are not those of the configuration.
    #[arg(long, env = "OS_CACERT")]
    os_cacert: Option<String>,
    #[arg(long, env = "OS_REGION_NAME", default_value = "RegionOne")]
    region: String,
    /// Where clients reach this service, such as `http://network.example:9696`.
    #[arg(long)]
    url: String,
    /// Where other services of the cloud do, if it is elsewhere.
    #[arg(long)]
    internal_url: Option<String>,
    #[arg(long)]
    admin_url: Option<String>,
    /// Roles of the service's user: `service` lets it validate tokens, `admin` is what Nova wants
    /// of who sends it events.
    #[arg(long = "role", default_values = ["service", "admin"])]
    roles: Vec<String>,
}

impl Registration {
    fn administrator(&self, service_user: &KeystoneConfig) -> KeystoneConfig {
        // Files of settings often have it with nothing in it.
        let named_authorities = self.os_cacert.as_ref().filter(|file| !file.is_empty());
        KeystoneConfig {
            auth_url: self.os_auth_url.clone().unwrap_or_else(|| service_user.auth_url.clone()),
            username: self.os_username.clone(),
            password: self.os_password.clone(),
            project_name: self.os_project_name.clone(),
            user_domain_name: self.os_user_domain_name.clone(),
            project_domain_name: self.os_project_domain_name.clone(),
            cafile: named_authorities.map_or_else(|| service_user.cafile.clone(), PathBuf::from),
            certfile: service_user.certfile.clone(),
            keyfile: service_user.keyfile.clone(),
            insecure: service_user.insecure,
            ..KeystoneConfig::default()
        }
    }

    fn wanted(&self) -> Wanted {
        let or_public = |url: &Option<String>| url.as_ref().unwrap_or(&self.url).clone();
        Wanted {
            region: self.region.clone(),
            roles: self.roles.clone(),
            endpoints: vec![
                Endpoint { interface: "public", url: self.url.clone() },
                Endpoint { interface: "internal", url: or_public(&self.internal_url) },
                Endpoint { interface: "admin", url: or_public(&self.admin_url) },
            ],
        }
    }
}

pub(crate) async fn register(config: &Config, registration: &Registration) -> anyhow::Result<()> {
    let service_user = &config.identity.keystone;
    let registrar = Registrar::new(&registration.administrator(service_user))?;
    let done = registrar
        .register(service_user, &registration.wanted())
        .await
        .context("cannot register the service")?;
    for line in &done {
        println!("{line}");
    }
    if done.is_empty() {
        println!("Everything was there.");
    }
    Ok(())
}
