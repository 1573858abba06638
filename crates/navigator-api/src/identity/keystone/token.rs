//! A token as Keystone describes it (`GET /v3/auth/tokens`), cut down to what decisions need.

use std::collections::BTreeSet;

use jiff::Timestamp;
use navigator_model::ProjectId;
use navigator_resources::Caller;
use serde::Deserialize;

use super::access_rule::AccessRule;

/// Who a token speaks for, where, and until when.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) expires_at: Timestamp,
    caller: Caller,
    /// Of an application credential that may only do these requests; `None` without such a limit.
    access_rules: Option<Vec<AccessRule>>,
}

#[derive(Deserialize)]
struct Document {
    token: Described,
}

#[derive(Deserialize)]
struct Described {
    expires_at: Timestamp,
    user: User,
    #[serde(default)]
    roles: Vec<Named>,
    project: Option<Project>,
    domain: Option<Identified>,
    system: Option<System>,
    application_credential: Option<ApplicationCredential>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    domain: Identified,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    domain: Identified,
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct System {
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
struct ApplicationCredential {
    access_rules: Option<Vec<AccessRule>>,
}

impl Token {
    /// Everything that is not the document as agreed is an error: a scope that was not understood
    /// would be a larger one.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let Document { token } = serde_json::from_slice(json)?;
        let mut caller = Caller {
            user_id: token.user.id,
            user_domain_id: token.user.domain.id,
            roles: token.roles.into_iter().map(|role| role.name).collect(),
            ..Caller::default()
        };
        if let Some(project) = token.project {
            caller.project_id = ProjectId(project.id);
            caller.project_domain_id = project.domain.id;
        }
        caller.domain_id = token.domain.map(|domain| domain.id);
        caller.system_scope = token.system.filter(|system| system.all).map(|_| "all".to_owned());
        caller.is_admin = caller.roles.contains("admin");
        let access_rules = token.application_credential.and_then(|it| it.access_rules);
        Ok(Self { expires_at: token.expires_at, caller, access_rules })
    }

    pub(crate) fn roles(&self) -> &BTreeSet<String> {
        &self.caller.roles
    }

    /// `path` is normalised.
    pub(crate) fn allows(&self, method: &str, path: &str) -> bool {
        match &self.access_rules {
            None => true,
            Some(rules) => rules.iter().any(|rule| rule.allows(method, path)),
        }
    }

    pub(crate) fn caller(&self, service: Option<&Self>) -> Caller {
        let service_roles = service.map(|service| service.roles().clone()).unwrap_or_default();
        Caller { service_roles, ..self.caller.clone() }
    }

    /// Bytes that it holds, roughly and rather too many.
    pub(crate) fn size(&self) -> usize {
        let caller = &self.caller;
        let texts = caller.roles.iter().map(String::len).sum::<usize>()
            + caller.user_id.len()
            + caller.project_id.0.len()
            + caller.user_domain_id.len()
            + caller.project_domain_id.len();
        let rules: usize = self.access_rules.iter().flatten().map(AccessRule::size).sum();
        // A set of texts takes a node of its own.
        size_of::<Self>() + texts + rules + 512
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};
    use serde_json::{Value, json};

    use super::*;

    fn parse(more: Value) -> Token {
        let mut token = json!({
            "methods": ["password"], "audit_ids": ["x"], "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2026-01-01T01:00:00.000000Z",
            "user": {"id": "u", "name": "alice", "domain": {"id": "default", "name": "Default"},
                     "password_expires_at": null},
        });
        token.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Token::parse(json!({ "token": token }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_project_is_the_callers_with_its_domain_and_roles() {
        let token = parse(json!({
            "project": {"id": "p", "name": "demo", "domain": {"id": "d2", "name": "two"}},
            "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "reader"}],
            "is_domain": false,
        }));
        let caller = token.caller(None);
        assert_eq!((caller.project_id.0.as_str(), caller.project_domain_id.as_str()), ("p", "d2"));
        assert_eq!((caller.user_id.as_str(), caller.user_domain_id.as_str()), ("u", "default"));
        assert!(caller.roles.iter().eq(["member", "reader"]));
        assert!(!caller.is_admin && caller.domain_id.is_none() && caller.system_scope.is_none());
        assert_eq!(token.expires_at, "2026-01-01T01:00:00Z".parse().unwrap());
    }

    #[test]
    fn other_scopes_have_no_project() {
        let caller = parse(json!({"domain": {"id": "d", "name": "D"}})).caller(None);
        assert_eq!((caller.domain_id.as_deref(), caller.project_id.0.as_str()), (Some("d"), ""));
        let caller = parse(json!({"system": {"all": true}})).caller(None);
        assert_eq!(caller.system_scope.as_deref(), Some("all"));
        let caller = parse(json!({})).caller(None);
        assert!(caller.roles.is_empty() && caller.project_id.0.is_empty());
    }

    #[test]
    fn the_service_only_adds_its_roles() {
        let user = parse(json!({"roles": [{"id": "1", "name": "member"}]}));
        let service = parse(json!({"roles": [{"id": "1", "name": "service"}]}));
        let caller = user.caller(Some(&service));
        assert!(caller.roles.iter().eq(["member"]) && caller.service_roles.iter().eq(["service"]));
    }

    #[test]
    fn a_list_of_rules_is_a_limit_even_when_it_is_empty() {
        let credential =
            |rules| parse(json!({"application_credential": {"id": "a", "access_rules": rules}}));
        assert!(!credential(json!([])).allows("GET", "/v2.0/networks"));
        assert!(credential(Value::Null).allows("GET", "/v2.0/networks"));
        let rule =
            json!([{"id": "1", "service": "network", "method": "GET", "path": "/v2.0/networks"}]);
        assert!(credential(rule.clone()).allows("GET", "/v2.0/networks"));
        assert!(!credential(rule).allows("POST", "/v2.0/networks"));
    }

    #[test]
    fn what_is_not_understood_is_no_token() {
        for text in ["", "{}", "[]", r#"{"token": {}}"#, r#"{"token": {"user": {"id": "u"}}}"#] {
            assert!(Token::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    const WHOLE: &str = r#"{"token": {"expires_at": "2026-01-01T01:00:00.000000Z",
        "user": {"id": "u", "domain": {"id": "default"}},
        "project": {"id": "p", "domain": {"id": "d"}}, "roles": [{"name": "member"}],
        "system": {"all": false}, "application_credential": {"access_rules": [
            {"service": "network", "method": "GET", "path": "/v2.0/**"}]}}}"#;

    proptest! {
        #[test]
        fn fuzz_documents(
            changes in vec((any::<Index>(), 0..4_usize, vec(any::<u8>(), 0..4)), 1..6),
            path in "[/.*{}a-z0-9%]{0,40}",
        ) {
            let mut bytes = WHOLE.as_bytes().to_vec();
            for (at, removed, put) in changes {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..(at + removed).min(bytes.len()), put);
            }
            if let Ok(token) = Token::parse(&bytes) {
                // Nobody becomes an administrator of whom the document does not say so.
                prop_assert!(!token.caller(None).is_admin);
                token.allows("GET", &path);
            }
        }
    }
}
