//! Texts, what they mean, and that they come back.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parsed(text: &str) -> Check {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn and_holds_more_tightly_than_or_and_not_than_and() {
    for (text, grouped) in [
        ("role:a or role:b and role:c", "role:a or (role:b and role:c)"),
        ("role:a and role:b or role:c", "(role:a and role:b) or role:c"),
        ("not role:a and role:b", "(not role:a) and role:b"),
        ("not not role:a", "not (not role:a)"),
        ("((role:a))", "role:a"),
        ("ROLE:a OR role:b", "ROLE:a or role:b"),
        ("role:a AND\n  role:b", "role:a and role:b"),
    ] {
        assert_eq!(parsed(text), parsed(grouped), "{text}");
    }
    assert_ne!(parsed("(role:a or role:b) and role:c"), parsed("role:a or role:b and role:c"));
    assert_ne!(parsed("not (role:a and role:b)"), parsed("not role:a and role:b"));
}

#[test]
fn leaves_are_told_apart() {
    assert_eq!(parsed(""), Check::Always);
    assert_eq!(parsed("@"), Check::Always);
    assert_eq!(parsed("!"), Check::Never);
    assert_eq!(
        parsed("rule:create_network:router:external").to_string(),
        "rule:create_network:router:external"
    );
    let Check::Field(field) = parsed("field:networks:router:external=True") else { panic!() };
    assert_eq!((&*field.resource, &*field.attribute), ("networks", "router:external"));
    for text in ["field:port:device_owner=~^network:", "field:rbac_policy:target_tenant=*"] {
        assert_eq!(parsed(text).to_string(), text);
    }
    let own = parsed("tenant_id:%(tenant_id)s");
    assert_eq!(own.attributes().collect::<Vec<_>>(), ["tenant_id"]);
    assert!(matches!(parsed("is_admin:True"), Check::Credential { .. }));
    assert!(matches!(parsed("system_scope:all"), Check::Credential { .. }));
    assert!(matches!(parsed("'admin':%(name)s"), Check::Literal { .. }));
    assert!(matches!(parsed("True:%(shared)s"), Check::Literal { .. }));
    assert_eq!(parsed("name:100%%-%(name)s!").to_string(), "name:100%%-%(name)s!");
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_what() {
    for (text, reason) in [
        ("role:a and", "ends where a check belongs"),
        ("and role:a", "'and' where a check belongs"),
        ("role:a role:b", "'role:b' where 'and' or 'or' belongs"),
        ("(role:a", "a parenthesis is not closed"),
        ("role:a)", "a parenthesis is closed that was not opened"),
        ("()", "')' where a check belongs"),
        ("not", "ends where a check belongs"),
        ("admin", "'admin' is not a check: expected kind:value"),
        (":x", "':x' has nothing before the colon"),
        ("rule:", "'rule:' without a name"),
        ("role:", "'role:' without a name"),
        (
            "field:networks:shared",
            "'field:networks:shared': expected field:resource:attribute=value",
        ),
        ("field:x:y=~(", "'(' is not a regular expression"),
        ("project_id:%(project_id)", "'%(project_id': expected %(attribute)s"),
        ("project_id:%(x)d", "'%(x)d': expected %(attribute)s"),
        ("a{b:c", "'a{b' is no kind of check"),
        ("'admin:x", "''admin:x' is not a check: expected 'text':value"),
        (
            "http://policy.example/%(x)s",
            "'http://policy.example/%(x)s': checks by another server are not supported; write the \
             rule itself",
        ),
    ] {
        assert_eq!(text.parse::<Check>().unwrap_err().to_string(), reason, "{text}");
    }
    assert!(format!("{}role:a", "not ".repeat(10_000)).parse::<Check>().is_err());
    assert!(
        format!("{}role:a{}", "(".repeat(10_000), ")".repeat(10_000)).parse::<Check>().is_err()
    );
}

#[test]
fn the_old_lists_are_alternatives_of_checks_that_all_hold() {
    let old = json!([["role:a", "role:b"], "role:c", []]);
    assert_eq!(lists(&old).unwrap(), parsed("role:a and role:b or role:c"));
    assert_eq!(lists(&json!([])).unwrap(), Check::Always);
    for wrong in
        [json!([[]]), json!(["role:a or role:b"]), json!([1]), json!({}), json!(["(role:a)"])]
    {
        assert!(lists(&wrong).is_err(), "{wrong}");
    }
}

fn template() -> impl Strategy<Value = Template> {
    let part =
        prop_oneof!["[a-z%.*]{1,5}".prop_map(Part::Text), "[a-z_:]{1,9}".prop_map(Part::Attribute)];
    prop::collection::vec(part, 1..3).prop_map(|parts| {
        // Two texts beside one another are one.
        let mut joined: Vec<Part> = Vec::new();
        for part in parts {
            match (joined.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
                (_, part) => joined.push(part),
            }
        }
        Template(joined)
    })
}

fn check() -> impl Strategy<Value = Check> {
    let leaf = prop_oneof![
        Just(Check::Always),
        Just(Check::Never),
        "[a-z_:]{1,9}".prop_map(Check::Rule),
        template().prop_map(Check::Role),
        ("x[a-z_]{1,5}", template()).prop_map(|(name, value)| Check::Credential { name, value }),
        ("[a-z]{1,3}", template()).prop_map(|(text, value)| Check::Literal {
            literal: Literal::Quoted { quote: '\'', text },
            value
        }),
        ("-?[0-9]{1,3}", template())
            .prop_map(|(text, value)| Check::Literal { literal: Literal::Bare(text), value }),
        "[a-z]{1,3}:[a-z:]{1,3}=(~\\^)?[a-z*]{0,3}"
            .prop_filter_map("a field", |text| { field(&text).ok().map(Check::Field) }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|check| Check::Not(Box::new(check))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Check::and),
            prop::collection::vec(inner, 1..4).prop_map(Check::or),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(check in check()) {
        prop_assert_eq!(check.to_string().parse::<Check>(), Ok(check));
    }

    #[test]
    fn fuzz_no_text_makes_the_parser_panic(text in ".{0,80}") {
        let _ = text.parse::<Check>();
    }

    #[test]
    fn fuzz_no_words_make_the_parser_panic(
        words in prop::collection::vec("(and|or|not|\\(+|\\)+|@|!|role:a\\)*|%\\(x\\)s:y|'a':%\\(b\\)s|field:a:b=~[(*^a]{1,3})", 0..20)
    ) {
        let text = words.join(" ");
        if let Ok(check) = text.parse::<Check>() {
            prop_assert_eq!(check.to_string().parse::<Check>(), Ok(check));
        }
    }
}
