//! What is written parses back to what was meant, whatever a user typed.

use navigator_model::snapshot::DhcpOption;
use navigator_render::dhcp::{OptionLine, OptionName};
use proptest::prelude::*;

use crate::sample::*;

/// Reads a line as dnsmasq reads a file of options: a comment starts at a number sign after a blank
/// (or anywhere, to be strict), quotes and backslashes are special, the rest is `tag,name,value`.
fn read(line: &str) -> Option<(String, String, String)> {
    let special = |c: char| c.is_control() || matches!(c, '"' | '\\' | '#');
    if line.contains(special) || line.trim() != line {
        return None;
    }
    let (tag, rest) = line.strip_prefix("tag:")?.split_once(',')?;
    let (name, value) = rest.split_once(',').unwrap_or((rest, ""));
    Some((tag.to_owned(), name.to_owned(), value.to_owned()))
}

fn arbitrary_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        "[a-z0-9.,:/-]{1,20}[\n\r\t\"#\\\\ ,]{0,2}[a-z0-9:,]{0,20}",
    ]
}

proptest! {
    #[test]
    fn fuzz_a_line_that_is_accepted_reads_back(value in arbitrary_text()) {
        let name = OptionName::Ipv4("bootfile-name");
        if let Ok(line) = OptionLine::new("port-x".into(), name, value.clone()) {
            let read = read(&line.to_string());
            prop_assert_eq!(read, Some(("port-x".into(), "option:bootfile-name".into(), value)));
        }
    }

    #[test]
    fn ordinary_values_are_accepted(value in "[A-Za-z0-9.,:/ _=@%+-]{0,80}") {
        let accepted = OptionLine::new("port-x".into(), OptionName::Number(67), value.clone());
        prop_assert_eq!(accepted.is_ok(), value.trim() == value);
    }

    #[test]
    fn fuzz_no_option_of_a_user_changes_another_line(name in arbitrary_text(), value in arbitrary_text()) {
        let clean = file(&rendered(&sample()), "opts");
        let mut ports = ports();
        ports[1].extra_dhcp_opts = vec![DhcpOption { name, value, ip_version: 4 }];
        let desired = rendered(&snapshot(network(), ports));
        let all = file(&desired, "opts");
        let own = all.strip_prefix(&clean).unwrap();
        prop_assert_eq!(own.lines().count() + desired.problems.len(), 1);
        prop_assert!(own.lines().all(|line| read(line).is_some()));
    }
}
