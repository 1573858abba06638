//! What an application credential may be used for: a service, a method, and a path in which `{name}`
//! and `*` stand for one part and `**` for any number of them.

use serde::Deserialize;

use crate::normalize::normal_path;

/// The type of this service in Keystone's catalogue.
const SERVICE: &str = "network";

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct AccessRule {
    service: String,
    method: String,
    path: String,
}

impl AccessRule {
    /// `path` is normalised, as the rule's is here: other spellings of a path are the same path.
    pub(crate) fn allows(&self, method: &str, path: &str) -> bool {
        self.service == SERVICE
            && self.method.eq_ignore_ascii_case(method)
            && matches(&parts(&normal_path(&self.path)), &parts(path))
    }

    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.service.len() + self.method.len() + self.path.len()
    }
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').collect()
}

fn matches(pattern: &[&str], path: &[&str]) -> bool {
    // Where the last `**` began, and what it has swallowed so far: enough to step back to.
    let (mut p, mut i) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while i < path.len() {
        match pattern.get(p) {
            Some(&"**") => {
                last = Some((p, i));
                p += 1;
            }
            Some(part) if one(part, path[i]) => (p, i) = (p + 1, i + 1),
            _ => {
                let Some((star, swallowed)) = last else { return false };
                last = Some((star, swallowed + 1));
                (p, i) = (star + 1, swallowed + 1);
            }
        }
    }
    pattern[p..].iter().all(|part| *part == "**")
}

fn one(pattern: &str, part: &str) -> bool {
    let variable = pattern.len() > 2 && pattern.starts_with('{') && pattern.ends_with('}');
    if variable || pattern == "*" { !part.is_empty() } else { pattern == part }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(path: &str, asked: &str) -> bool {
        let rule = AccessRule {
            service: SERVICE.to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
        };
        rule.allows("GET", &normal_path(asked))
    }

    #[test]
    fn paths_match_by_their_parts() {
        for (rule, asked, allowed) in [
            ("/v2.0/networks", "/v2.0/networks", true),
            ("/v2.0/networks", "/v2.0/networks/", true),
            ("/v2.0/networks", "/v2.0/networks/1", false),
            ("/v2.0/networks", "/v2.0/ports", false),
            ("/v2.0/networks/{id}", "/v2.0/networks/1", true),
            ("/v2.0/networks/*", "/v2.0/networks/1", true),
            ("/v2.0/networks/*", "/v2.0/networks/1.json", true),
            ("/v2.0/networks/*", "/v2.0/networks/1/tags", false),
            // These are the list, however they are written.
            ("/v2.0/networks/*", "/v2.0/networks", false),
            ("/v2.0/networks/*", "/v2.0/networks/.json", false),
            ("/v2.0/networks/*", "/v2.0/networks//", false),
            ("/v2.0/**", "/v2.0/networks/1/tags/red", true),
            ("/v2.0/**", "/v2.1/networks", false),
            ("/**/tags", "/v2.0/networks/1/tags", true),
            ("/**/tags", "/v2.0/networks/1/tags/red", false),
            ("/v2.0/**/tags/*", "/v2.0/networks/1/tags/red", true),
            ("**", "/v2.0/networks", true),
            ("/v2.0/security-groups", "/v2.0/security_groups", true),
            ("/v2.0/security_groups/{id}", "/v2.0/security-groups/1", true),
            ("", "/v2.0/networks", false),
        ] {
            assert_eq!(allows(rule, asked), allowed, "{rule} {asked}");
        }
    }

    #[test]
    fn service_and_method_are_part_of_the_rule() {
        let rule = |service: &str, method: &str| AccessRule {
            service: service.to_owned(),
            method: method.to_owned(),
            path: "/**".to_owned(),
        };
        assert!(rule("network", "POST").allows("POST", "/v2.0/networks"));
        assert!(!rule("compute", "POST").allows("POST", "/v2.0/networks"));
        assert!(!rule("network", "GET").allows("POST", "/v2.0/networks"));
    }

    #[test]
    fn many_wildcards_cost_little() {
        let start = std::time::Instant::now();
        let rule = "/**/a".repeat(200);
        let asked = "/a".repeat(2000) + "/b";
        assert!(!allows(&rule, &asked));
        assert!(start.elapsed() < std::time::Duration::from_secs(1), "{:?}", start.elapsed());
    }
}
