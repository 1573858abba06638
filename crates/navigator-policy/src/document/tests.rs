//! Files as operators write them, and as they must not.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[track_caller]
fn texts(text: &str) -> Vec<(String, String)> {
    let entries = read(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    entries
        .into_iter()
        .map(|entry| match entry.written {
            Written::Text(text) => (entry.name, text),
            Written::Lists(value) => (entry.name, value.to_string()),
        })
        .collect()
}

fn pair(name: &str, check: &str) -> (String, String) {
    (name.to_owned(), check.to_owned())
}

#[test]
fn every_way_to_write_a_text_is_read() {
    let text = r#"# The cloud's rules.
---
create_network: role:member and project_id:%(project_id)s   # ours
"create_network:shared": "role:\"a\"" # quoted
'get_network': 'role:it''s'
update_network:
  role:a
  or role:b

delete_network: role:a or
    role:b   # goes on
get_port: >-
  role:a
  or role:b
get_subnet: |
  role:c
empty: ""
old: [["role:a", "role:b"],
  ["role:c"]]
long: "role:a or
  role:b"
"#;
    assert_eq!(
        texts(text),
        [
            pair("create_network", "role:member and project_id:%(project_id)s"),
            pair("create_network:shared", "role:\"a\""),
            pair("get_network", "role:it's"),
            pair("update_network", "role:a or role:b"),
            pair("delete_network", "role:a or role:b"),
            pair("get_port", "role:a or role:b"),
            pair("get_subnet", "role:c"),
            pair("empty", ""),
            pair("old", "[[\"role:a\",\"role:b\"],[\"role:c\"]]"),
            pair("long", "role:a or role:b"),
        ]
    );
    assert_eq!(texts(""), []);
    assert_eq!(texts("# only a comment\n"), []);
    assert_eq!(read("\n\na: role:b").unwrap()[0].line, 3);
}

#[test]
fn json_is_read_too() {
    let text = "{\n \"a\": \"role:x\",\n \"b\": [[\"role:y\"]]\n}";
    let entries = read(text).unwrap();
    assert_eq!(entries[0].written, Written::Text("role:x".to_owned()));
    assert_eq!((entries[1].line, &entries[1].written), (3, &Written::Lists(json!([["role:y"]]))));
    assert_eq!(texts("{}"), []);
}

#[test]
fn what_is_not_a_flat_map_of_texts_is_refused_with_its_line() {
    for (text, line) in [
        ("a: role:x\na: role:y", 2),
        ("{\"a\": \"role:x\",\n\"a\": \"role:y\"}", 1),
        ("{\"a\": 1}", 1),
        ("{\"a\": null}", 1),
        ("{\"a\": \"role:x\"} more", 1),
        ("a: role:x\nb:", 2),
        ("a:\n# nothing\n", 1),
        ("a: !\n", 1),
        ("a: @", 1),
        ("a: *anchor", 1),
        ("a: &anchor role:x", 1),
        ("a: !!str role:x", 1),
        ("a: {b: c}", 1),
        ("a: [role:x]", 1),
        ("a: - role:x", 1),
        ("a:\n  - role:x", 2),
        ("a:\n  b: role:x", 2),
        ("a:\n\trole:x", 2),
        ("- a: role:x", 1),
        ("just text", 1),
        ("  a: role:x", 1),
        ("a:role:x", 1),
        ("a: \"role:x", 1),
        ("a: \"role:x\" role:y", 1),
        ("a: \"\\u0040\"", 1),
        ("a: >2\n  role:x", 1),
        ("a: |\n  role:x\n  # not a comment", 3),
        ("<<: role:x", 1),
        ("a: role:x\n---\nb: role:y", 2),
        ("? a\n: b", 1),
    ] {
        match read(text) {
            Err(error) => assert_eq!(error.line, line, "{text:?}: {error}"),
            Ok(entries) => panic!("{text:?} was read as {entries:?}"),
        }
    }
}

proptest! {
    #[test]
    fn fuzz_no_text_makes_the_reader_panic(text in "[a\"'\\\\:#>|\\[\\]{}\n\t -]{0,60}") {
        let _ = read(&text);
    }

    #[test]
    fn quoted_texts_come_back(text in "[ -~]{0,30}") {
        let double = text.replace('\\', "\\\\").replace('"', "\\\"");
        let single = text.replace('\'', "''");
        prop_assert_eq!(texts(&format!("a: \"{double}\"\nb: '{single}'")), [pair("a", &text), pair("b", &text)]);
    }
}
