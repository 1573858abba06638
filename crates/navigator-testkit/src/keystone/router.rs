//! The fake's requests and answers.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Response, http::request::Parts};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{
    Answer,
    world::{Target, Token, World},
};

const KINDS: [&str; 7] = ["domain", "user", "project", "role", "service", "endpoint", "region"];

/// Status, JSON, and the token of an `X-Subject-Token`.
struct Reply(u16, Value, Option<String>);

impl Reply {
    fn of(status: u16, body: Value) -> Self {
        Self(status, body, None)
    }

    fn error(code: u16, title: &str, message: &str) -> Self {
        Self::of(code, json!({"error": {"code": code, "title": title, "message": message}}))
    }

    fn unauthorized() -> Self {
        Self::error(401, "Unauthorized", "The request you have made requires authentication.")
    }

    fn forbidden() -> Self {
        let message = "You are not authorized to perform the requested action.";
        Self::error(403, "Forbidden", message)
    }

    fn not_found(what: &str) -> Self {
        Self::error(404, "Not Found", &format!("Could not find {what}."))
    }
}

pub(super) fn answer(world: &mut World, parts: &Parts, body: &Bytes) -> Answer {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let Reply(status, shown, token) = reply(world, parts, &body);
    let bytes = match shown {
        Value::Null => Bytes::new(),
        _ if parts.method == "HEAD" => Bytes::new(),
        shown => shown.to_string().into(),
    };
    let mut answer = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("vary", "X-Auth-Token")
        .header("x-openstack-request-id", format!("req-{}", uuid::Uuid::new_v4()));
    if status == 401 {
        answer = answer.header("www-authenticate", "Keystone uri=\"http://keystone/v3\"");
    }
    if let Some(token) = token {
        answer = answer.header("x-subject-token", token);
    }
    answer.body(Full::from(bytes)).unwrap_or_default()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn reply(world: &mut World, parts: &Parts, body: &Value) -> Reply {
    let path = parts.uri.path().trim_matches('/').to_owned();
    let segments: Vec<&str> = path.split('/').collect();
    let method = parts.method.as_str();
    match (method, &segments[..]) {
        ("GET", [""]) => Reply::of(300, json!({"versions": {"values": [world.version()]}})),
        ("GET", ["v3"]) => Reply::of(200, json!({"version": world.version()})),
        ("POST", ["v3", "auth", "tokens"]) => log_in(world, parts, body),
        (_, ["v3", "auth", "tokens"]) => token(world, parts, method),
        (_, ["v3", rest @ ..]) => administered(world, parts, body, rest),
        _ => Reply::not_found("resource"),
    }
}

fn query(parts: &Parts) -> Vec<(String, String)> {
    let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn asked_for(parts: &Parts, name: &str) -> bool {
    query(parts).iter().any(|(key, value)| key == name && !matches!(value.as_str(), "0" | "false"))
}

fn log_in(world: &mut World, parts: &Parts, body: &Value) -> Reply {
    let Some(mut token) = identified(world, &body["auth"]["identity"]) else {
        return Reply::unauthorized();
    };
    if token.credential.is_none() {
        let scope = &body["auth"]["scope"];
        let id = |object: Option<&Value>| {
            object.and_then(|object| object["id"].as_str()).map(str::to_owned)
        };
        token.target = if scope["project"].is_object() {
            match id(world.referred("project", &scope["project"])) {
                Some(id) => Target::Project(id),
                None => return Reply::unauthorized(),
            }
        } else if scope["domain"].is_object() {
            match id(world.referred("domain", &scope["domain"])) {
                Some(id) => Target::Domain(id),
                None => return Reply::unauthorized(),
            }
        } else if scope["system"]["all"] == true {
            Target::System
        } else {
            Target::Nowhere
        };
    }
    let Some((text, mut shown)) = world.issue(token) else { return Reply::unauthorized() };
    if !asked_for(parts, "nocatalog") && !shown["roles"].is_null() {
        shown["catalog"] = world.catalog();
    }
    Reply(201, json!({ "token": shown }), Some(text))
}

/// Who it is, by password, another token or an application credential; the scope is still open.
fn identified(world: &World, identity: &Value) -> Option<Token> {
    let method = identity["methods"][0].as_str()?;
    let now = Timestamp::now();
    let made = |user: &str, target, credential| Token {
        user: user.to_owned(),
        target,
        methods: vec![method.to_owned()],
        credential,
        issued: now,
        expires: now,
    };
    match method {
        "password" => {
            let given = &identity["password"]["user"];
            let user = world.referred("user", given)?;
            let right = user["password"].is_string() && user["password"] == given["password"];
            right.then(|| made(user["id"].as_str().unwrap_or_default(), Target::Nowhere, None))
        }
        "token" => {
            let (token, _) = world.valid(identity["token"]["id"].as_str()?, false)?;
            Some(made(&token.user, Target::Nowhere, None))
        }
        "application_credential" => {
            let given = &identity["application_credential"];
            let credential = world.get("application_credential", given["id"].as_str()?)?;
            (credential["secret"] == given["secret"]).then(|| {
                let text = |name: &str| credential[name].as_str().unwrap_or_default().to_owned();
                let project = Target::Project(text("project_id"));
                made(&text("user_id"), project, Some(text("id")))
            })
        }
        _ => None,
    }
}

/// Names of the roles of whoever sends the request.
fn asking(world: &World, parts: &Parts) -> Option<Vec<String>> {
    let (_, shown) = world.valid(header(&parts.headers, "x-auth-token"), false)?;
    let roles = shown["roles"].as_array().into_iter().flatten();
    Some(roles.filter_map(|role| role["name"].as_str().map(str::to_owned)).collect())
}

fn token(world: &mut World, parts: &Parts, method: &str) -> Reply {
    let Some(roles) = asking(world, parts) else { return Reply::unauthorized() };
    let own = header(&parts.headers, "x-auth-token");
    let subject = header(&parts.headers, "x-subject-token").to_owned();
    let may = roles.iter().any(|role| role == "admin" || role == "service") || own == subject;
    if !may {
        return Reply::forbidden();
    }
    let Some((token, mut shown)) = world.valid(&subject, asked_for(parts, "allow_expired")) else {
        return Reply::not_found("token");
    };
    let limited = token.credential.as_ref().is_some_and(|id| {
        world.get("application_credential", id).is_some_and(|it| !it["access_rules"].is_null())
    });
    if limited && header(&parts.headers, "openstack-identity-access-rules").is_empty() {
        return Reply::not_found("token");
    }
    match method {
        "GET" | "HEAD" => {
            if !asked_for(parts, "nocatalog") {
                shown["catalog"] = world.catalog();
            }
            Reply(200, json!({ "token": shown }), Some(subject))
        }
        "DELETE" => {
            world.tokens.remove(&subject);
            Reply::of(204, Value::Null)
        }
        _ => Reply::error(405, "Method Not Allowed", "Not allowed."),
    }
}

fn administered(world: &mut World, parts: &Parts, body: &Value, path: &[&str]) -> Reply {
    let Some(roles) = asking(world, parts) else { return Reply::unauthorized() };
    let method = parts.method.as_str();
    if let ["users", user, "application_credentials"] = path
        && method == "POST"
    {
        return make_credential(world, parts, user, &body["application_credential"]);
    }
    if !roles.iter().any(|role| role == "admin") {
        return Reply::forbidden();
    }
    match path {
        ["projects", id, "users", user, "roles", role] => {
            grant(world, method, user, Target::Project((*id).to_owned()), role)
        }
        ["domains", id, "users", user, "roles", role] => {
            grant(world, method, user, Target::Domain((*id).to_owned()), role)
        }
        ["system", "users", user, "roles", role] => {
            grant(world, method, user, Target::System, role)
        }
        ["role_assignments"] => Reply::of(200, assignments(world, &query(parts))),
        [collection, rest @ ..] => {
            let kind = KINDS.iter().find(|kind| format!("{kind}s") == **collection);
            kind.map_or_else(
                || Reply::not_found("resource"),
                |kind| object(world, parts, body, kind, rest),
            )
        }
        [] => Reply::not_found("resource"),
    }
}

fn make_credential(world: &mut World, parts: &Parts, user: &str, wanted: &Value) -> Reply {
    let own = header(&parts.headers, "x-auth-token");
    let Some((token, shown)) = world.valid(own, false) else { return Reply::unauthorized() };
    let (Target::Project(project), true) = (token.target.clone(), token.user == user) else {
        return Reply::forbidden();
    };
    let mut credential = wanted.clone();
    credential["user_id"] = user.into();
    credential["project_id"] = project.into();
    if credential["roles"].is_null() {
        credential["roles"] = shown["roles"].clone();
    }
    for rule in credential["access_rules"].as_array_mut().into_iter().flatten() {
        rule["id"] = super::world::id().into();
    }
    let id = world.put("application_credential", credential);
    let made = world.get("application_credential", &id).cloned();
    Reply::of(201, json!({ "application_credential": made }))
}

fn grant(world: &mut World, method: &str, user: &str, target: Target, role: &str) -> Reply {
    let known = world.get("user", user).is_some() && world.get("role", role).is_some();
    if !known {
        return Reply::not_found("user or role");
    }
    let grant = (user.to_owned(), target, role.to_owned());
    let done = match method {
        "PUT" => {
            world.grants.insert(grant);
            true
        }
        "DELETE" => world.grants.remove(&grant),
        _ => world.grants.contains(&grant),
    };
    if done { Reply::of(204, Value::Null) } else { Reply::not_found("role assignment") }
}

/// Those that the filters leave, such as `scope.project.id`.
fn assignments(world: &World, filters: &[(String, String)]) -> Value {
    let matches = |assignment: &Value| {
        filters.iter().all(|(name, wanted)| {
            let pointer = format!("/{}", name.replace('.', "/"));
            assignment.pointer(&pointer).is_some_and(|value| value == wanted.as_str())
        })
    };
    let all = world.grants.iter().map(|(user, target, role)| {
        let scope = match target {
            Target::Project(id) => json!({"project": {"id": id}}),
            Target::Domain(id) => json!({"domain": {"id": id}}),
            Target::System | Target::Nowhere => json!({"system": {"all": true}}),
        };
        json!({"user": {"id": user}, "role": {"id": role}, "scope": scope})
    });
    json!({"role_assignments": all.filter(matches).collect::<Value>()})
}

/// Without what is never shown.
fn shown(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("password");
    }
    object
}

fn object(
    world: &mut World,
    parts: &Parts,
    body: &Value,
    kind: &'static str,
    rest: &[&str],
) -> Reply {
    match (parts.method.as_str(), rest) {
        ("GET", []) => {
            let filters = query(parts);
            let fits = |object: &&Value| {
                filters.iter().all(|(name, value)| object[name].as_str() == Some(value.as_str()))
            };
            let found: Value = world.all(kind).filter(fits).map(shown).collect();
            Reply::of(200, json!({ format!("{kind}s"): found, "links": {"next": null} }))
        }
        ("POST", []) => {
            let wanted = body[kind].clone();
            let same = |object: &Value| {
                object["name"].is_string()
                    && object["name"] == wanted["name"]
                    && object["domain_id"] == wanted["domain_id"]
            };
            if !wanted.is_object() {
                return Reply::error(400, "Bad Request", "Not what was expected.");
            }
            if kind != "service" && world.all(kind).any(same) {
                return Reply::error(409, "Conflict", "Conflict occurred: duplicate entry.");
            }
            let id = world.put(kind, wanted);
            Reply::of(201, json!({ kind: world.get(kind, &id).map(shown) }))
        }
        ("GET" | "HEAD", [id]) => match world.get(kind, id) {
            Some(object) => Reply::of(200, json!({ kind: shown(object) })),
            None => Reply::not_found(kind),
        },
        ("PATCH", [id]) => {
            let Some(object) = world.objects.get_mut(kind).and_then(|all| all.get_mut(*id)) else {
                return Reply::not_found(kind);
            };
            for (name, value) in body[kind].as_object().into_iter().flatten() {
                object[name] = value.clone();
            }
            Reply::of(200, json!({ kind: shown(object) }))
        }
        ("DELETE", [id]) => {
            let removed = world.objects.get_mut(kind).and_then(|all| all.remove(*id));
            match removed {
                Some(_) => Reply::of(204, Value::Null),
                None => Reply::not_found(kind),
            }
        }
        _ => Reply::error(405, "Method Not Allowed", "Not allowed."),
    }
}
