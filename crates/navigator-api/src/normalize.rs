//! Forms of a URL that mean the same: a trailing slash, a `.json` suffix, `-` for `_` in the names
//! of collections and actions. Ids are left as they are.

use std::{collections::HashSet, sync::OnceLock};

use axum::{
    body::Body,
    http::{Request, Uri, uri::PathAndQuery},
};
use navigator_resources::{Rules, Visitor, visit_all};

/// Rewrites the path to the one form that routes know.
pub(crate) fn normalize(mut request: Request<Body>) -> Request<Body> {
    let path = request.uri().path();
    let normal = normal_path(path);
    if normal != path {
        let target = match request.uri().query() {
            Some(query) => format!("{normal}?{query}"),
            None => normal,
        };
        if let Ok(path_and_query) = target.parse::<PathAndQuery>() {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}

pub(crate) fn normal_path(path: &str) -> String {
    let path = path.strip_suffix(".json").unwrap_or(path);
    let trimmed = path.trim_end_matches('/');
    let mut segments: Vec<String> = trimmed.split('/').map(str::to_owned).collect();
    // "", "v2.0", perhaps a prefix, collection, id, collection or action, id
    if segments.get(1).is_some_and(|version| version == "v2.0") {
        let prefixed = segments.get(2).is_some_and(|first| prefixes().contains(first.as_str()));
        for index in [2, 4] {
            if let Some(segment) = segments.get_mut(index + usize::from(prefixed)) {
                *segment = segment.replace('-', "_");
            }
        }
    }
    let normal = segments.join("/");
    if normal.is_empty() { "/".to_owned() } else { normal }
}

/// First words of paths of two: `qos` of `qos/policies`.
fn prefixes() -> &'static HashSet<&'static str> {
    static PREFIXES: OnceLock<HashSet<&'static str>> = OnceLock::new();
    struct Collect(HashSet<&'static str>);
    impl Visitor for Collect {
        fn visit<R: Rules>(&mut self) {
            let prefix = R::declaration().path.split_once('/').map(|(prefix, _)| prefix);
            self.0.extend(prefix);
        }
    }
    PREFIXES.get_or_init(|| {
        let mut collect = Collect(HashSet::new());
        visit_all(&mut collect);
        collect.0
    })
}

#[cfg(test)]
mod tests {
    use super::normal_path;

    #[test]
    fn the_same_resource_has_one_path() {
        for (given, normal) in [
            ("/", "/"),
            ("/v2.0/", "/v2.0"),
            ("/v2.0/networks.json", "/v2.0/networks"),
            ("/v2.0/networks/", "/v2.0/networks"),
            ("/v2.0/security-groups", "/v2.0/security_groups"),
            ("/v2.0/networks/a-b-c.json", "/v2.0/networks/a-b-c"),
            ("/v2.0/routers/a-b/add-router-interface", "/v2.0/routers/a-b/add_router_interface"),
            ("/v2.0/quotas/a-b/details.json", "/v2.0/quotas/a-b/details"),
            ("/v2.0/qos/rule-types/", "/v2.0/qos/rule_types"),
            ("/v2.0/qos/alias-dscp-marking-rules/a-b", "/v2.0/qos/alias_dscp_marking_rules/a-b"),
            (
                "/v2.0/qos/policies/a-b/dscp-marking-rules",
                "/v2.0/qos/policies/a-b/dscp_marking_rules",
            ),
            ("/agent/v1/wake-ups", "/agent/v1/wake-ups"),
        ] {
            assert_eq!(normal_path(given), normal);
        }
    }
}
