//! T26: every route the server has, every method, everybody, about objects of their own, of others,
//! shared ones, under the wrong parent and none at all. What must come out is worked out from the
//! published table and from Neutron's two rules: what you may not see does not exist (404), what you
//! see but may not do is forbidden (403).

use std::collections::{BTreeMap, BTreeSet};

use navigator_api::GuardedRoute;
use serde_json::{Value, json};

use super::{
    people::{Facts, Person},
    place::{self, Place},
    published::OF_CALLERS,
    world::{FOREIGN, Kind, NOBODYS_ID, TAG, WHOLE, World},
};
use crate::cloud::{Answer, Backend, text};

pub(super) const METHODS: [&str; 4] = ["GET", "PUT", "DELETE", "POST"];

/// What a cell's answer is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Unauthorized,
    Forbidden,
    /// And in these words: the same for all cells of a group.
    NotFound,
    NotAllowed,
    /// The policy lets it through, whatever the resource's own rules then say of it.
    Through,
    Exactly(u16),
}

impl Expected {
    fn fits(self, answer: &Answer) -> bool {
        match self {
            Self::Unauthorized => answer.status == 401,
            Self::Forbidden => answer.status == 403,
            Self::NotFound => answer.status == 404,
            Self::NotAllowed => answer.status == 405,
            Self::Through => ![401, 403, 405, 500].contains(&answer.status),
            Self::Exactly(status) => answer.status == status,
        }
    }
}

pub(super) struct Matrix {
    pub(super) world: World,
    pub(super) cells: usize,
    pub(super) wrong: Vec<String>,
    /// 404 answers that must be one: by who, what and how the parent is.
    hidden: BTreeMap<String, (String, String)>,
}

/// The ids that stand in a URL.
pub(super) struct Ids<'a> {
    pub(super) parent: &'a str,
    pub(super) id: &'a str,
}

impl Ids<'_> {
    pub(super) fn in_path(&self, path: &str) -> String {
        let path = path.replace("{parent}", self.parent).replace("{id}", self.id);
        path.replace("{tag}", TAG).replace("{other}", NOBODYS_ID).replace("{profile}", NOBODYS_ID)
    }

    /// An answer without what must differ.
    fn outside(&self, answer: &Answer) -> String {
        let mut headers: Vec<String> = answer
            .headers
            .iter()
            .filter(|(name, _)| {
                !["x-openstack-request-id", "content-length"].contains(&name.as_str())
            })
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        headers.sort();
        let mut text = format!("{} {} {}", answer.status, headers.join(", "), answer.body);
        text = text.replace(self.id, "<id>");
        if !self.parent.is_empty() {
            text = text.replace(self.parent, "<parent>");
        }
        text
    }
}

/// `fixed_ips`, or `fixed_ips:ip_address` where an item has it.
fn is_said(path: &str, said: &Value) -> bool {
    let part = |(attribute, part): (&str, &str)| match said.get(attribute) {
        Some(Value::Array(items)) => items.iter().any(|item| item.get(part).is_some()),
        Some(inner) => inner.get(part).is_some(),
        None => false,
    };
    said.get(path).is_some() || path.rsplit_once(':').is_some_and(part)
}

pub(super) fn body_of(kind: &Kind, route: &GuardedRoute) -> Value {
    let rest = route.path.rsplit('/').next().unwrap_or_default();
    match (route.method, rest) {
        ("GET" | "DELETE", _) | (_, "{tag}") => Value::Null,
        (_, "tags") => json!({"tags": [TAG]}),
        ("PUT", "{id}") if route.path.contains("/alias_") => {
            json!({ format!("alias_{}", kind.declaration.name): {} })
        }
        ("PUT", "{id}") => json!({ kind.declaration.name: {} }),
        _ => json!({}),
    }
}

impl Matrix {
    pub(super) async fn new(on: Backend) -> Self {
        let world = World::new(on).await;
        Self { world, cells: 0, wrong: Vec::new(), hidden: BTreeMap::new() }
    }

    pub(super) fn note(&mut self, cell: &str, expected: Expected, answer: &Answer) {
        self.cells += 1;
        if !expected.fits(answer) {
            self.wrong.push(format!("{cell}: {expected:?}, not {} {}", answer.status, answer.body));
        }
    }

    pub(super) fn check(&mut self, cell: &str, holds: bool, what: &str) {
        self.cells += 1;
        if !holds {
            self.wrong.push(format!("{cell}: {what}"));
        }
    }

    pub(super) fn allows(&self, who: usize, rule: &str, facts: &Facts) -> bool {
        let person = &self.world.people.all[who];
        self.world.table.allows(rule, &|word| person.holds(word, facts))
    }

    fn ever_allows(&self, who: usize, rule: &str) -> bool {
        let person = &self.world.people.all[who];
        self.world.table.ever_allows(rule, &|word| {
            assert!(OF_CALLERS.contains(&word));
            person.roles.contains(word)
        })
    }

    /// These rules, and those of what is said.
    pub(super) fn permits(
        &self,
        who: usize,
        rule: &str,
        rules: &[&str],
        facts: &Facts,
        said: &Value,
    ) -> bool {
        let named =
            self.world.table.below(rule).filter(|name| is_said(&name[rule.len() + 1..], said));
        named.chain(rules.iter().copied()).all(|rule| self.allows(who, rule, facts))
    }

    pub(super) fn person(&self, who: usize) -> &Person {
        &self.world.people.all[who]
    }

    pub(super) fn sees(&self, who: usize, kind: usize, site: usize) -> bool {
        let kind = &self.world.kinds[kind];
        let facts = self.world.facts(site, kind);
        self.sees_parent(who, kind, site) && self.allows(who, &format!("get_{}", kind.name), &facts)
    }

    pub(super) fn sees_parent(&self, who: usize, kind: &Kind, site: usize) -> bool {
        let Some(parent) = kind.parent() else { return true };
        let index = self.world.kinds.iter().position(|kind| kind.name == parent).unwrap();
        self.sees(who, index, site)
    }

    pub(super) async fn ask(&self, who: usize, method: &str, path: &str, body: &Value) -> Answer {
        let unchanged = matches!(method, "PUT" | "DELETE");
        self.world.ask_as(self.person(who), method, path, body, unchanged).await
    }

    pub(super) fn has(&self, site: usize, kind: usize) -> bool {
        let kind = &self.world.kinds[kind];
        self.world.sites[site].objects.contains_key(&kind.name)
    }

    pub(super) fn key(&self, site: usize, kind: usize) -> &str {
        &self.world.sites[site].objects[&self.world.kinds[kind].name]
    }

    pub(super) fn parent_key(&self, site: usize, kind: usize) -> &str {
        let parent = self.world.kinds[kind].parent();
        parent.map_or("", |parent| &self.world.sites[site].objects[&parent])
    }

    /// What comes of it for whom rules are asked: those with a token, of a project.
    pub(super) fn if_asked(&self, who: usize, decided: impl FnOnce() -> Expected) -> Expected {
        let person = self.person(who);
        match (&person.token, &person.project) {
            (None, _) => Expected::Unauthorized,
            (_, None) => Expected::Forbidden,
            _ => decided(),
        }
    }

    /// What comes of a rule that is about no object.
    pub(super) fn if_allowed(&self, who: usize, route: &GuardedRoute, facts: &Facts) -> Expected {
        let rule = route.rule.as_deref().unwrap();
        self.if_asked(who, || match self.allows(who, rule, facts) {
            true => Expected::Through,
            false => Expected::Forbidden,
        })
    }

    /// All people, all objects, one method of one path.
    async fn walk(&mut self, route: &GuardedRoute, place: Place) {
        for who in 0..self.world.people.all.len() {
            match place {
                Place::Open => self.open(who, route).await,
                Place::List(kind) => self.list(who, route, kind).await,
                Place::Create(kind) => self.create(who, route, kind).await,
                Place::Member(kind) | Place::Alias(kind) => {
                    self.member(who, route, kind, place).await;
                }
                Place::Untargeted => self.untargeted(who, route).await,
                Place::Project | Place::Callers => self.project(who, route, place).await,
                Place::Usage => self.usage(who, route).await,
            }
        }
    }

    /// Without a token there is nothing; a method that the route does not have is none for anybody.
    async fn without(&mut self, path: &str, methods: &BTreeSet<&str>) {
        for who in 0..self.world.people.all.len() {
            for method in METHODS.into_iter().filter(|method| !methods.contains(method)) {
                let ids = Ids { parent: NOBODYS_ID, id: NOBODYS_ID };
                let path = ids.in_path(path).replace("{project}", "p").replace("{alias}", "quotas");
                let answer = self.ask(who, method, &path, &json!({})).await;
                let cell = format!("{} {method} {path}", self.person(who).name);
                self.note(&cell, Expected::NotAllowed, &answer);
            }
        }
    }

    async fn open(&mut self, who: usize, route: &GuardedRoute) {
        let path = route.path.replace("{alias}", "quotas");
        let answer = self.ask(who, route.method, &path, &Value::Null).await;
        let token = self.person(who).token.is_some();
        let expected = if token { Expected::Exactly(200) } else { Expected::Unauthorized };
        self.note(&format!("{} {} {path}", self.person(who).name, route.method), expected, &answer);
    }

    async fn list(&mut self, who: usize, route: &GuardedRoute, index: usize) {
        for site in 0..self.world.sites.len() {
            if !self.has(site, index) {
                continue;
            }
            let kind = &self.world.kinds[index];
            let path = self.world.collection(kind.declaration, site);
            let answer = self.ask(who, route.method, &path, &Value::Null).await;
            let expected = self.if_asked(who, || match self.sees_parent(who, kind, site) {
                true => Expected::Exactly(200),
                false => Expected::NotFound,
            });
            let cell =
                format!("{} GET {path} ({})", self.person(who).name, self.world.sites[site].label);
            let declaration = kind.declaration;
            self.note(&cell, expected, &answer);
            if expected == Expected::Exactly(200) {
                let (collection, key) = (declaration.collection, declaration.key);
                let own = Value::from(self.key(site, index));
                let items = answer.body[collection].as_array().cloned().unwrap_or_default();
                let listed = items.iter().any(|item| item[key] == own);
                let sees = self.sees(who, index, site);
                self.check(&cell, listed == sees, &format!("listed {listed}, seen {sees}"));
            }
        }
    }

    /// What the policy says of a POST of this.
    pub(super) fn creation(&self, who: usize, index: usize, site: usize, body: &Value) -> Expected {
        self.if_asked(who, || self.creation_in_project(who, index, site, body))
    }

    fn creation_in_project(&self, who: usize, index: usize, site: usize, body: &Value) -> Expected {
        let (kind, person) = (&self.world.kinds[index], self.person(who));
        let rule = format!("create_{}", kind.name);
        if !self.sees_parent(who, kind, site) {
            return Expected::NotFound;
        }
        if !self.ever_allows(who, &rule) {
            return Expected::Forbidden;
        }
        // A new object is the caller's own, on what the site's owner has.
        let around = self.world.facts(site, kind);
        let around = Facts { owner: person.project.clone(), ..around };
        let said = &body[kind.declaration.name];
        if self.permits(who, &rule, &[&rule], &around.with(said), said) {
            return Expected::Through;
        }
        let words: Vec<&str> =
            self.world.table.rule(&rule).iter().flatten().map(|(word, _)| *word).collect();
        let related = [("network", "network"), ("group", "security_group")];
        let unseen = related.into_iter().any(|(word, other)| {
            let other = self.world.kinds.iter().position(|kind| kind.name == other).unwrap();
            words.contains(&word) && !self.sees(who, other, site)
        });
        if unseen { Expected::NotFound } else { Expected::Forbidden }
    }

    async fn create(&mut self, who: usize, route: &GuardedRoute, index: usize) {
        for site in WHOLE {
            let kind = &self.world.kinds[index];
            let path = self.world.collection(kind.declaration, site);
            let nth = 1000 + self.cells % 18_000;
            let body = match kind.is_created() {
                true => self.world.body(site, &kind.name, nth).await,
                false => json!({ kind.declaration.name: {} }),
            };
            let expected = self.creation(who, index, site, &body);
            let answer = self.ask(who, route.method, &path, &body).await;
            let label = self.world.sites[site].label;
            let cell = format!("{} POST {path} ({label})", self.person(who).name);
            self.note(&cell, expected, &answer);
            let kind = &self.world.kinds[index];
            if answer.status == 201 {
                let made = &answer.body[kind.declaration.name][kind.declaration.key];
                let path = format!("{path}/{}", text(made));
                let gone = self.world.ask("admin", "DELETE", &path, &Value::Null).await;
                assert!([204, 404].contains(&gone.status), "{path}: {}", gone.body);
            }
        }
    }

    /// Of an object of the site, in its own place.
    fn on_object(&self, who: usize, route: &GuardedRoute, kind: usize, site: usize) -> Expected {
        self.if_asked(who, || self.on_object_in_project(who, route, kind, site))
    }

    fn on_object_in_project(
        &self,
        who: usize,
        route: &GuardedRoute,
        kind: usize,
        site: usize,
    ) -> Expected {
        let rule = route.rule.as_deref().unwrap();
        let facts = self.world.facts(site, &self.world.kinds[kind]);
        let kind_of = &self.world.kinds[kind];
        if !self.sees(who, kind, site) {
            Expected::NotFound
        } else if !self.allows(who, rule, &facts) {
            // Reading what belongs to an object one sees is still about what exists.
            let subports = rule == "get_subports";
            if route.method == "GET" && !subports {
                Expected::NotFound
            } else {
                Expected::Forbidden
            }
        } else if route.method == "GET" {
            Expected::Exactly(if route.path.ends_with("{tag}") { 204 } else { 200 })
        } else if route.method == "POST" {
            Expected::Through
        } else if kind_of.has_revisions() {
            Expected::Exactly(412)
        } else {
            Expected::Through
        }
    }

    async fn member(&mut self, who: usize, route: &GuardedRoute, kind: usize, place: Place) {
        for site in 0..self.world.sites.len() {
            if !self.has(site, kind) {
                continue;
            }
            let (parent, id) = (self.parent_key(site, kind), self.key(site, kind).to_owned());
            let ids = Ids { parent, id: &id };
            let path = ids.in_path(&route.path);
            let body = body_of(&self.world.kinds[kind], route);
            let expected = self.on_object(who, route, kind, site);
            let answer = self.ask(who, route.method, &path, &body).await;
            let label = self.world.sites[site].label;
            let cell = format!("{} {} {path} ({label})", self.person(who).name, route.method);
            let seen = self.sees_parent(who, &self.world.kinds[kind], site);
            let outside = ids.outside(&answer);
            self.note(&cell, expected, &answer);
            // An alias does not know of its parent.
            let seen = seen || matches!(place, Place::Alias(_));
            self.hide(who, route, seen, &cell, (expected, outside));
            if route.method == "DELETE" && answer.status == 204 && !route.path.ends_with("{tag}") {
                self.world.make_again(site, kind).await;
            }
        }
        self.elsewhere(who, route, kind, place).await;
    }

    /// Ids of nothing, and of objects that are not where the URL says.
    async fn elsewhere(&mut self, who: usize, route: &GuardedRoute, kind: usize, place: Place) {
        let (own, foreign) = (1, FOREIGN);
        let nobodys = NOBODYS_ID.to_owned();
        let (parent, id) = (self.parent_key(own, kind).to_owned(), self.key(own, kind).to_owned());
        let mut pairs = vec![("random id", Some(own), parent.clone(), nobodys.clone())];
        let child = self.world.kinds[kind].parent();
        if let (Some(of), Place::Member(_)) = (child, place) {
            let twin = self.world.sites[own].twins[&of].clone();
            let (others, theirs) =
                (self.parent_key(foreign, kind).to_owned(), self.key(foreign, kind).to_owned());
            pairs.push(("twin parent", Some(own), twin, id.clone()));
            pairs.push(("foreign parent", Some(foreign), others, id.clone()));
            pairs.push(("random parent", None, nobodys, id.clone()));
            if theirs != id {
                pairs.push(("foreign child", Some(own), parent, theirs));
            }
        }
        for (label, site, parent, id) in pairs {
            let ids = Ids { parent: &parent, id: &id };
            let path = ids.in_path(&route.path);
            let body = body_of(&self.world.kinds[kind], route);
            let answer = self.ask(who, route.method, &path, &body).await;
            let expected = self.if_asked(who, || Expected::NotFound);
            let cell = format!("{} {} {path} ({label})", self.person(who).name, route.method);
            // Where no parent is, it is as where one is not seen.
            let kind = &self.world.kinds[kind];
            let seen = site.is_some_and(|site| self.sees_parent(who, kind, site));
            self.note(&cell, expected, &answer);
            let outside = ids.outside(&answer);
            self.hide(
                who,
                route,
                seen || matches!(place, Place::Alias(_)),
                &cell,
                (expected, outside),
            );
        }
    }

    /// Answers about what is not there must not tell which of it is.
    fn hide(
        &mut self,
        who: usize,
        route: &GuardedRoute,
        parent_seen: bool,
        cell: &str,
        (expected, outside): (Expected, String),
    ) {
        if expected != Expected::NotFound {
            return;
        }
        let group = format!("{} {} {} {parent_seen}", who, route.method, route.path);
        let first = (cell.to_owned(), outside.clone());
        let (other, known) = self.hidden.entry(group).or_insert(first).clone();
        self.check(cell, known == outside, &format!("{outside}, but {other}: {known}"));
    }

    pub(super) async fn run(mut self) {
        let mut paths: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        for route in navigator_api::guarded_routes() {
            paths.entry(route.path.clone()).or_default().insert(route.method);
            match place::of(&route, &self.world) {
                Some(place) => self.walk(&route, place).await,
                None => self.wrong.push(format!("what is {} {}?", route.method, route.path)),
            }
        }
        for (path, methods) in &paths {
            self.without(path, methods).await;
        }
        let routes = paths.values().map(BTreeSet::len).sum::<usize>();
        let people = self.world.people.all.len();
        println!(
            "T26: {} cells, {} mismatches ({routes} methods of {} paths, {people} callers)",
            self.cells,
            self.wrong.len(),
            paths.len()
        );
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}
