//! The objects that a pair is about, new for each run. Requests are written as text in which
//! `$name` is the id of an object of the [`OBJECTS`] table, made when it is first named.

use std::collections::HashMap;

use futures::{FutureExt as _, future::BoxFuture};
use serde_json::Value;

use crate::cloud::{Answer, Cloud, text};

use super::table::OBJECTS;

/// `user METHOD path body`, nothing left to fill in.
pub(super) struct Request {
    user: String,
    method: String,
    path: String,
    body: String,
}

impl Request {
    fn parse(text: &str) -> Self {
        let mut words = text.splitn(4, ' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        let (user, method, path) = (word(), word(), format!("/v2.0/{}", word()));
        Self { user, method, path, body: word() }
    }

    pub(super) async fn send(&self, server: &Cloud) -> Answer {
        server.raw(&self.user, &self.method, &self.path, self.body.clone().into_bytes()).await
    }
}

pub(super) struct Stage<'a> {
    cloud: &'a Cloud,
    made: HashMap<&'static str, Value>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(cloud: &'a Cloud) -> Self {
        Self { cloud, made: HashMap::new() }
    }

    /// Makes these objects.
    pub(super) async fn prepare(&mut self, names: &str) {
        for name in names.split_whitespace() {
            self.object(name).await;
        }
    }

    fn object<'b>(&'b mut self, name: &'b str) -> BoxFuture<'b, Value> {
        async move {
            if let Some(object) = self.made.get(name) {
                return object.clone();
            }
            let (name, template) = OBJECTS.iter().find(|(known, _)| *known == name).unwrap();
            let answer = self.request(template).await.send(self.cloud).await;
            assert!(answer.status < 300, "{name}: {}", answer.body);
            // An action answers without a name around the object.
            let object = match answer.body.as_object().unwrap().values().next() {
                Some(inner @ Value::Object(_)) => inner.clone(),
                _ => answer.body,
            };
            self.made.insert(name, object.clone());
            object
        }
        .boxed()
    }

    /// The template with every `$name` replaced by the object's id, `$name.ip` by its first address.
    pub(super) async fn request(&mut self, template: &str) -> Request {
        let mut parts = template.split('$');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end =
                part.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(part.len());
            let (name, mut rest) = part.split_at(end);
            let object = self.object(name).await;
            match rest.strip_prefix(".ip") {
                Some(after) => {
                    filled.push_str(text(&object["fixed_ips"][0]["ip_address"]));
                    rest = after;
                }
                None => filled.push_str(text(&object["id"])),
            }
            filled.push_str(rest);
        }
        Request::parse(&filled)
    }
}
