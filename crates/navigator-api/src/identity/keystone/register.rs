//! What Keystone has to know of a Navigator: the service's user and its roles, the service of type
//! network, its endpoints. Done again, it changes nothing that is right already.

use axum::http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{KeystoneConfig, KeystoneError, session::Session};

/// One of the three ways to the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `public`, `internal` or `admin`.
    pub interface: &'static str,
    pub url: String,
}

/// What is to be there afterwards.
#[derive(Clone, Debug)]
pub struct Registration {
    pub region: String,
    /// Of the service's user in its project.
    pub roles: Vec<String>,
    pub endpoints: Vec<Endpoint>,
}

/// Speaks to Keystone as an administrator, whose account it is given.
pub struct Registrar {
    session: std::sync::Arc<Session>,
    done: Vec<String>,
}

fn encoded(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

impl Registrar {
    /// `administrator` is logged in as; nothing is asked yet.
    pub fn new(administrator: &KeystoneConfig) -> Result<Self, KeystoneError> {
        let (http, login) = administrator.session()?;
        Ok(Self { session: Session::new(http, login), done: Vec::new() })
    }

    /// What had to be done, a line each; empty if everything was there.
    pub async fn register(
        mut self,
        service_user: &KeystoneConfig,
        wanted: &Registration,
    ) -> Result<Vec<String>, KeystoneError> {
        let user_domain =
            self.domain(&service_user.user_domain_id, &service_user.user_domain_name).await?;
        let project_domain =
            self.domain(&service_user.project_domain_id, &service_user.project_domain_name).await?;
        let project = json!({"name": service_user.project_name, "domain_id": project_domain});
        let project = self.found_or_made("project", project, None).await?;
        let user = json!({"name": service_user.username, "domain_id": user_domain});
        let password = json!({"password": service_user.password, "default_project_id": project});
        let user = self.found_or_made("user", user, Some(password)).await?;
        for role in &wanted.roles {
            self.grant(role, &user, &project).await?;
        }
        let service = json!({"type": "network", "name": "neutron"});
        let service = self.service(service).await?;
        self.region(&wanted.region).await?;
        for endpoint in &wanted.endpoints {
            self.endpoint(&service, &wanted.region, endpoint).await?;
        }
        Ok(self.done)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, KeystoneError> {
        let answer = self.session.send(method.clone(), path, &[], body).await?;
        if !answer.status.is_success() {
            let said = String::from_utf8_lossy(&answer.body).chars().take(300).collect::<String>();
            return Err(KeystoneError::Answer(format!(
                "{} to {method} {path}: {said}",
                answer.status
            )));
        }
        if answer.body.is_empty() { Ok(Value::Null) } else { answer.json() }
    }

    async fn domain(&self, id: &str, name: &str) -> Result<String, KeystoneError> {
        if !id.is_empty() {
            return Ok(id.to_owned());
        }
        let found =
            self.call(Method::GET, &format!("/domains?name={}", encoded(name)), None).await?;
        let id = id_of(&found["domains"][0]);
        id.ok_or_else(|| KeystoneError::Setup(format!("there is no domain '{name}'")))
    }

    /// By all attributes of `key`; `more` is only for one that has to be made.
    async fn found_or_made(
        &mut self,
        kind: &str,
        key: Value,
        more: Option<Value>,
    ) -> Result<String, KeystoneError> {
        let query: Vec<String> = key
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}={}", encoded(value.as_str().unwrap_or_default())))
            .collect();
        let path = format!("/{kind}s?{}", query.join("&"));
        let found = self.call(Method::GET, &path, None).await?;
        if let Some(id) = id_of(&found[format!("{kind}s")][0]) {
            return Ok(id);
        }
        let mut body = key.clone();
        if let (Some(body), Some(Value::Object(more))) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let made =
            self.call(Method::POST, &format!("/{kind}s"), Some(&json!({ kind: body }))).await?;
        self.done.push(format!("made {kind} {}", key["name"].as_str().unwrap_or_default()));
        id_of(&made[kind]).ok_or_else(|| KeystoneError::Answer(format!("a {kind} without an id")))
    }

    async fn grant(&mut self, role: &str, user: &str, project: &str) -> Result<(), KeystoneError> {
        let id = self.found_or_made("role", json!({ "name": role }), None).await?;
        let path = format!("/projects/{project}/users/{user}/roles/{id}");
        let had = self.session.send(Method::HEAD, &path, &[], None).await?;
        if !had.status.is_success() {
            self.call(Method::PUT, &path, None).await?;
            self.done.push(format!("gave the service's user the role {role}"));
        }
        Ok(())
    }

    /// By its type: a cloud has one network service, whatever it was named.
    async fn service(&mut self, wanted: Value) -> Result<String, KeystoneError> {
        let found = self.call(Method::GET, "/services?type=network", None).await?;
        if let Some(id) = id_of(&found["services"][0]) {
            return Ok(id);
        }
        let made =
            self.call(Method::POST, "/services", Some(&json!({ "service": wanted }))).await?;
        self.done.push("made the service of type network".to_owned());
        id_of(&made["service"])
            .ok_or_else(|| KeystoneError::Answer("a service without an id".into()))
    }

    async fn region(&mut self, id: &str) -> Result<(), KeystoneError> {
        let path = format!("/regions/{}", encoded(id));
        let found = self.session.send(Method::GET, &path, &[], None).await?;
        if !found.status.is_success() {
            self.call(Method::POST, "/regions", Some(&json!({"region": {"id": id}}))).await?;
            self.done.push(format!("made region {id}"));
        }
        Ok(())
    }

    async fn endpoint(
        &mut self,
        service: &str,
        region: &str,
        wanted: &Endpoint,
    ) -> Result<(), KeystoneError> {
        let Endpoint { interface, url } = wanted;
        let path = format!("/endpoints?service_id={service}&interface={interface}");
        let found = self.call(Method::GET, &path, None).await?;
        let mut here = found["endpoints"].as_array().into_iter().flatten();
        let Some(present) = here.find(|endpoint| endpoint["region_id"] == *region) else {
            let body = json!({"endpoint": {
                "service_id": service, "interface": interface, "url": url, "region_id": region,
                "enabled": true,
            }});
            self.call(Method::POST, "/endpoints", Some(&body)).await?;
            self.done.push(format!("made the {interface} endpoint {url}"));
            return Ok(());
        };
        if present["url"] != **url {
            let id = id_of(present).unwrap_or_default();
            let body = json!({"endpoint": {"url": url}});
            self.call(Method::PATCH, &format!("/endpoints/{id}"), Some(&body)).await?;
            self.done.push(format!("the {interface} endpoint is now {url}"));
        }
        Ok(())
    }
}

fn id_of(object: &Value) -> Option<String> {
    object["id"].as_str().map(str::to_owned)
}
