//! Routes of the matrix that are about no single object: documents, quotas, counts.

use navigator_api::GuardedRoute;
use serde_json::{Value, json};

use super::{
    matrix::{Expected, Ids, Matrix},
    people::Facts,
    place::Place,
    world::NOBODYS_ID,
};

impl Matrix {
    pub(super) async fn untargeted(&mut self, who: usize, route: &GuardedRoute) {
        let mut ids = vec![NOBODYS_ID.to_owned()];
        if route.path.contains("{id}") {
            let kinds = ["router", "network", "agent", "flavor"];
            let kind = kinds.into_iter().find(|kind| route.path.contains(&format!("/{kind}s/")));
            let kind = kind.unwrap_or_else(|| panic!("what is the id in {}?", route.path));
            ids.extend((1..3).map(|site| self.world.sites[site].objects[kind].clone()));
        }
        for id in ids {
            let path = Ids { parent: "", id: &id }.in_path(&route.path);
            let path = path.replace("{type}", "bandwidth_limit");
            let expected = self.if_allowed(who, route, &Facts::none());
            let body = if route.method == "GET" { Value::Null } else { json!({}) };
            let answer = self.ask(who, route.method, &path, &body).await;
            let cell = format!("{} {} {path}", self.person(who).name, route.method);
            self.note(&cell, expected, &answer);
        }
    }

    pub(super) async fn project(&mut self, who: usize, route: &GuardedRoute, place: Place) {
        let (own, third) = (self.world.people.own.clone(), self.world.people.third.clone());
        for project in [own, third, "00000000000000000000000000000bad".to_owned()] {
            let mut path = route.path.replace("{project}", &project);
            if route.method == "GET" && path.contains("topology") {
                path.push_str("?fields=dry-run");
            }
            let own_quota = route.method == "GET"
                && path.starts_with("/v2.0/quotas/")
                && self.person(who).project.as_ref() == Some(&project);
            let of = match place {
                Place::Callers => self.person(who).project.clone(),
                _ => Some(project),
            };
            let expected = match own_quota {
                true => self.if_asked(who, || Expected::Exactly(200)),
                false => self.if_allowed(who, route, &Facts::of(of.as_deref())),
            };
            let body = if route.method == "PUT" { json!({"quota": {}}) } else { Value::Null };
            let answer = self.ask(who, route.method, &path, &body).await;
            let cell = format!("{} {} {path}", self.person(who).name, route.method);
            self.note(&cell, expected, &answer);
        }
    }

    pub(super) async fn usage(&mut self, who: usize, route: &GuardedRoute) {
        let rule = route.rule.as_deref().unwrap();
        for site in 0..self.world.sites.len() - 1 {
            let network = self.world.sites[site].objects["network"].clone();
            let path = route.path.replace("{id}", &network);
            let answer = self.ask(who, route.method, &path, &Value::Null).await;
            let allowed = self.allows(who, rule, &self.world.sites[site].facts);
            let expected = self.if_asked(who, || match route.path.contains("{id}") {
                true if !allowed => Expected::NotFound,
                _ => Expected::Exactly(200),
            });
            let label = self.world.sites[site].label;
            let cell = format!("{} GET {path} ({label})", self.person(who).name);
            self.note(&cell, expected, &answer);
            if expected == Expected::Exactly(200) && self.listed_here(site, route) {
                let text = answer.body.to_string();
                self.check(&cell, text.contains(&network) == allowed, "listed or not");
            }
        }
    }

    /// Floating IPs come from external networks only.
    fn listed_here(&self, site: usize, route: &GuardedRoute) -> bool {
        !route.path.contains("pools") || self.world.sites[site].facts.external
    }
}
