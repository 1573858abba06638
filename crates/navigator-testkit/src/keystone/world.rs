//! What the fake knows: objects as the JSON that it shows, who has which role where, and tokens.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Seconds after its end that a token is still shown to who asks with `allow_expired=1`.
const EXPIRED_WINDOW_S: i64 = 172_800;
const LIFETIME_S: i64 = 3600;

/// Each role implies those after it.
const LADDER: [&str; 4] = ["admin", "manager", "member", "reader"];

/// Where a role is held, or a token is good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Project(String),
    Domain(String),
    System,
    Nowhere,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) user: String,
    pub(super) target: Target,
    pub(super) methods: Vec<String>,
    pub(super) credential: Option<String>,
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
}

pub(super) struct World {
    url: String,
    /// By kind (`user`) and id.
    pub(super) objects: BTreeMap<&'static str, BTreeMap<String, Value>>,
    /// User, target, role's id.
    pub(super) grants: BTreeSet<(String, Target, String)>,
    pub(super) tokens: BTreeMap<String, Token>,
    /// Of tokens that are given out.
    pub(super) lifetime_s: i64,
}

pub(super) fn id() -> String {
    Uuid::new_v4().simple().to_string()
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

impl World {
    /// As after `keystone-manage bootstrap`: an administrator whose password is `secret`.
    pub(super) fn new(url: &str) -> Self {
        let mut world = Self {
            url: url.to_owned(),
            objects: BTreeMap::new(),
            grants: BTreeSet::new(),
            tokens: BTreeMap::new(),
            lifetime_s: LIFETIME_S,
        };
        world.put("domain", json!({"id": "default", "name": "Default", "enabled": true}));
        world.put("region", json!({"id": "RegionOne"}));
        let mut roles = LADDER.to_vec();
        roles.push("service");
        let roles: Vec<String> =
            roles.iter().map(|name| world.put("role", json!({ "name": name }))).collect();
        let project = json!({"name": "admin", "domain_id": "default"});
        let project = world.put("project", project);
        let user = json!({"name": "admin", "domain_id": "default", "password": "secret"});
        let user = world.put("user", user);
        for target in [Target::Project(project), Target::System] {
            world.grants.insert((user.clone(), target, roles[0].clone()));
        }
        let service = world.put("service", json!({"type": "identity", "name": "keystone"}));
        for interface in ["public", "internal", "admin"] {
            let url = format!("{url}/v3");
            let endpoint = json!({"service_id": service, "interface": interface, "url": url,
                                  "region_id": "RegionOne"});
            world.put("endpoint", endpoint);
        }
        world
    }

    pub(super) fn put(&mut self, kind: &'static str, mut object: Value) -> String {
        if object["id"].is_null() {
            object["id"] = id().into();
        }
        if object["enabled"].is_null() {
            object["enabled"] = true.into();
        }
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        self.objects.entry(kind).or_default().insert(id.clone(), object);
        id
    }

    pub(super) fn get(&self, kind: &str, id: &str) -> Option<&Value> {
        self.objects.get(kind)?.get(id)
    }

    pub(super) fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.get(kind).into_iter().flat_map(BTreeMap::values)
    }

    /// By id, or by name and domain, as references in an auth request are written.
    pub(super) fn referred(&self, kind: &str, reference: &Value) -> Option<&Value> {
        if let Some(id) = reference["id"].as_str() {
            return self.get(kind, id);
        }
        let name = reference["name"].as_str()?;
        let domain = match &reference["domain"] {
            Value::Null => None,
            domain => Some(self.referred("domain", domain)?["id"].clone()),
        };
        self.all(kind).find(|object| {
            object["name"] == name && domain.as_ref().is_none_or(|id| object["domain_id"] == *id)
        })
    }

    fn enabled(&self, kind: &str, id: &str) -> bool {
        self.get(kind, id).is_some_and(|object| object["enabled"] == true)
    }

    /// The ids and names of the roles, with those that they imply.
    pub(super) fn roles(&self, user: &str, target: &Target) -> Vec<(String, String)> {
        let mut names = BTreeSet::new();
        for (who, held, role) in &self.grants {
            if who != user || held != target {
                continue;
            }
            let name =
                self.get("role", role).map_or("", |role| role["name"].as_str().unwrap_or(""));
            let step = LADDER.iter().position(|known| *known == name);
            names.extend(step.map(|step| &LADDER[step..]).into_iter().flatten().copied());
            names.insert(name);
        }
        let found = |name: &&str| {
            let role = self.all("role").find(|role| role["name"] == **name)?;
            Some((role["id"].as_str()?.to_owned(), (*name).to_owned()))
        };
        names.iter().filter_map(found).collect()
    }

    pub(super) fn issue(&mut self, mut token: Token) -> Option<(String, Value)> {
        token.issued = Timestamp::now();
        token.expires = token.issued + SignedDuration::from_secs(self.lifetime_s);
        let document = self.describe(&token)?;
        let text = format!("gAAAA{}{}{}", id(), id(), id());
        self.tokens.insert(text.clone(), token);
        Some((text, document))
    }

    /// A token that is good now, or was until lately if that is enough.
    pub(super) fn valid(&self, token: &str, expired_too: bool) -> Option<(&Token, Value)> {
        let token = self.tokens.get(token)?;
        let grace = if expired_too { EXPIRED_WINDOW_S } else { 0 };
        let end = token.expires + SignedDuration::from_secs(grace);
        (Timestamp::now() < end).then(|| self.describe(token)).flatten().map(|shown| (token, shown))
    }

    /// `None` if its user, scope or roles are not what they have to be (any more).
    fn describe(&self, token: &Token) -> Option<Value> {
        let user = self.get("user", &token.user)?;
        if !self.enabled("user", &token.user) {
            return None;
        }
        let mut shown = json!({
            "methods": token.methods,
            "user": {"id": token.user, "name": user["name"], "password_expires_at": null,
                     "domain": self.domain(&user["domain_id"])},
            "audit_ids": ["3T2dc1CGQxyJsHdDu1xkcw"],
            "issued_at": time(token.issued), "expires_at": time(token.expires),
        });
        let mut roles = self.roles(&token.user, &token.target);
        match &token.target {
            Target::Project(id) => {
                let project = self.get("project", id).filter(|it| it["enabled"] == true)?;
                let domain = self.domain(&project["domain_id"]);
                shown["project"] = json!({"id": id, "name": project["name"], "domain": domain});
                shown["is_domain"] = false.into();
            }
            Target::Domain(id) => {
                let domain = self.get("domain", id).filter(|it| it["enabled"] == true)?;
                shown["domain"] = json!({"id": id, "name": domain["name"]});
            }
            Target::System => shown["system"] = json!({"all": true}),
            Target::Nowhere => return Some(shown),
        }
        if let Some(credential) = &token.credential {
            let credential = self.get("application_credential", credential)?;
            let granted = credential["roles"].as_array()?;
            roles.retain(|(id, _)| granted.iter().any(|role| role["id"] == **id));
            let mut part: Map<String, Value> = Map::new();
            for name in ["id", "name", "access_rules"] {
                if !credential[name].is_null() {
                    part.insert(name.to_owned(), credential[name].clone());
                }
            }
            part.insert("restricted".to_owned(), true.into());
            shown["application_credential"] = Value::Object(part);
        }
        if roles.is_empty() {
            return None;
        }
        shown["roles"] = roles.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
        Some(shown)
    }

    fn domain(&self, id: &Value) -> Value {
        let domain = self.get("domain", id.as_str().unwrap_or_default());
        json!({"id": id, "name": domain.map(|domain| &domain["name"])})
    }

    pub(super) fn catalog(&self) -> Value {
        let endpoints = |service: &Value| -> Value {
            let of = self.all("endpoint").filter(|it| it["service_id"] == service["id"]);
            of.map(|it| {
                json!({"id": it["id"], "interface": it["interface"], "url": it["url"],
                       "region": it["region_id"], "region_id": it["region_id"]})
            })
            .collect()
        };
        let entry = |service: &Value| {
            json!({"id": service["id"], "type": service["type"], "name": service["name"],
                   "endpoints": endpoints(service)})
        };
        self.all("service").map(entry).collect()
    }

    pub(super) fn version(&self) -> Value {
        json!({
            "id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": format!("{}/v3/", self.url)}],
            "media-types": [{"base": "application/json",
                             "type": "application/vnd.openstack.identity-v3+json"}],
        })
    }

    pub(super) fn expire(&mut self, token: &str, in_s: i64) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.expires = Timestamp::now() + SignedDuration::from_secs(in_s);
        }
    }

    pub(super) fn forget_tokens_of(&mut self, username: &str) {
        let user = self.referred("user", &json!({ "name": username }));
        let user = user.and_then(|user| user["id"].as_str()).unwrap_or_default().to_owned();
        self.tokens.retain(|_, token| token.user != user);
    }
}
