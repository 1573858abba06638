//! The rules and the declarations together.

use navigator_policy::Rule;
use navigator_resources::{Caller, Visitor, visit_all};

use super::*;

fn caller(roles: &[&str]) -> Caller {
    Caller::new("p1", "u1").with_roles(roles.iter().copied())
}

#[test]
fn identity_does_not_say_who_is_an_administrator_but_the_rule_does() {
    let policy = Policy::new(None).unwrap();
    let forged = Caller { is_admin: true, is_service: true, ..caller(&["member"]) };
    let known = policy.recognize(forged);
    assert_eq!((known.is_admin, known.is_service), (false, false));
    let known = policy.recognize(caller(&["admin", "service"]));
    assert_eq!((known.is_admin, known.is_service), (true, true));
    let moved = Policy::new(Some("context_is_admin: role:cloud_admin")).unwrap();
    assert!(moved.recognize(caller(&["cloud_admin"])).is_admin);
    assert!(!moved.recognize(caller(&["admin"])).is_admin);
    let circular = Policy::new(Some("context_is_admin: is_admin:True")).unwrap();
    assert!(!circular.recognize(Caller { is_admin: true, ..caller(&["admin"]) }).is_admin);
}

#[test]
fn a_rule_that_does_not_exist_denies_an_administrator_too() {
    let policy = Policy::new(None).unwrap();
    let admin = policy.recognize(caller(&["admin"]));
    assert!(policy.authorize(&admin, "get_agent", &Said::default()).is_ok());
    assert!(policy.authorize(&admin, "get_agents", &Said::default()).is_err());
}

#[test]
fn a_route_without_a_rule_is_found_at_the_start() {
    let handler = || axum::routing::get(async || "");
    let routes = Guarded::default().route("/v2.0/a", [("GET", "get_agent")], handler());
    let routes = routes.route("/v2.0/b", [("GET", "get_agent"), ("POST", "get_b")], handler());
    let unknown = routes.under(&Policy::new(None).unwrap()).unwrap_err();
    assert_eq!(unknown.to_string(), "routes without a policy rule: /v2.0/b (get_b)");
}

#[test]
fn lists_are_left_to_the_database_only_while_it_knows_the_rule() {
    let network = "get_network";
    let listed = |text: &str, roles: &[&str]| {
        Policy::new(Some(text)).unwrap().is_listed(&caller(roles), network)
    };
    assert!(listed("", &["member"]));
    assert!(listed("", &["nothing"]));
    assert!(listed("get_network: rule:shared", &["member"]), "less than the default");
    assert!(listed("context_is_admin: role:other", &["member"]), "another rule's wording");
    assert!(!listed("get_network: field:networks:name=x", &["member"]));
    assert!(!listed("get_network: not rule:shared", &["member"]));
    assert!(!listed("shared: user_id:%(description)s", &["member"]));
}

/// What a declaration reserves for administrators and what the table says must not be two truths.
#[test]
fn nothing_is_said_to_be_for_administrators_that_has_a_rule_of_its_own() {
    struct Twice(Rules, Vec<String>);
    impl Visitor for Twice {
        fn visit<R: navigator_resources::Rules>(&mut self) {
            let declaration = R::declaration();
            let resource = declaration.policy_name();
            let verbs = [
                ("create", declaration.verbs.create),
                ("update", declaration.verbs.update),
                ("delete", declaration.verbs.delete),
                ("get", true),
            ];
            for (verb, _) in verbs.iter().filter(|(_, there)| *there && declaration.admin_only) {
                self.1.push(format!("{verb}_{resource}"));
            }
            for attribute in declaration.all() {
                let admin = attribute.admin;
                let flags =
                    [("create", admin.create), ("update", admin.update), ("get", admin.get)];
                for (verb, _) in flags.iter().filter(|(_, flag)| *flag) {
                    self.1.push(format!("{verb}_{resource}:{}", attribute.name));
                }
            }
        }
    }
    let mut twice = Twice(Rules::neutron().unwrap(), Vec::new());
    visit_all(&mut twice);
    let Twice(rules, mut names) = twice;
    // A resource for administrators may have the rules that say so.
    names.retain(|name| {
        let other = |rule: &Rule| rule.check.to_string() != "rule:admin_only";
        rules.get(name).is_some_and(|rule| name.contains(':') || other(rule))
    });
    assert_eq!(names, Vec::<String>::new());
}
