//! Every network command that the client has is in some table: what the client's own list has and no
//! row drives fails here. `docs/stock-client.md` says how each ends, as the tables expect it;
//! `NAVIGATOR_WRITE_DOCS=1` writes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
    process::Command,
};

use navigator_testkit::stock;
use serde_json::Value;

use crate::every_row;

const GROUP: &str = "openstack.network.v2";

/// Of other groups, but asked of the network service too.
const SHARED: &[&str] = &[
    "availability zone list",
    "extension list",
    "extension show",
    "quota delete",
    "quota list",
    "quota set",
    "quota show",
];

/// How the names of commands begin that end with 1 whatever they are asked, and why.
const ABSENT: &[(&str, &str)] = &[
    ("local ip", "`local_ip` is not there"),
    ("router ndp proxy", "`l3-ndp-proxy` is not there"),
    ("security group default statefulness", "the extension is not there"),
];

/// What else is to be said of a command.
const NOTES: &[(&str, &str)] = &[
    (
        "network agent router set",
        "does nothing: there are no gateway chassis; the client does not look at the answer",
    ),
    ("network onboard subnet", "deprecated by the client in favour of `subnet pool add network`"),
];

/// Of services that are not there at all.
const ABSENT_GROUPS: &[&str] = &["bgpvpn", "dynamic_routing", "fwaas", "taas", "vpnaas"];

/// What the installed client says that it has.
fn commands() -> BTreeSet<String> {
    let mut command = Command::new(stock::program());
    let output = stock::unaware(&mut command).args(["command", "list", "-f", "json"]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", stock::said(&output));
    let groups: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let name = |group: &Value| group["Command Group"].as_str().unwrap().to_owned();
    let network = groups.iter().find(|group| name(group) == GROUP).unwrap();
    let beside = groups
        .iter()
        .map(name)
        .filter_map(|name| name.strip_prefix(GROUP)?.strip_prefix('.').map(str::to_owned));
    assert_eq!(
        beside.collect::<BTreeSet<_>>(),
        ABSENT_GROUPS.iter().map(|n| (*n).to_owned()).collect()
    );
    let names = network["Commands"].as_array().unwrap().iter();
    let names = names.map(|name| name.as_str().unwrap().to_owned());
    names.chain(SHARED.iter().copied().map(str::to_owned)).collect()
}

/// The longest name that the line begins with.
fn command_of<'c>(commands: &'c BTreeSet<String>, line: &str) -> Option<&'c String> {
    let begins = |name: &&String| {
        line.strip_prefix(name.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    commands.iter().filter(begins).max_by_key(|name| name.len())
}

fn page(ends: &BTreeMap<&String, i32>) -> String {
    let absent = ABSENT_GROUPS.join(", ");
    let mut page = format!(
        "# The stock client\n\nEvery network command of the unmodified `openstack` client (group \
         `{GROUP}`, and what else asks the network service), driven by \
         `cargo nextest run -p navigator --test stock_client` against a server, and how it ends when \
         what it is asked for can be had. A command of the client that is not here fails that test. \
         The groups for services that are not there ({absent}) are left out. \
         Written by `NAVIGATOR_WRITE_DOCS=1 cargo nextest run -p navigator --test stock_client \
         every_command`.\n\n| Command | Exit code | Note |\n|---|---|---|\n"
    );
    for (command, code) in ends {
        let absent = absence(command).map(|reason| format!("absent: {reason}"));
        let note =
            NOTES.iter().find(|(name, _)| name == command).map(|(_, note)| (*note).to_owned());
        let note = absent.or(note).unwrap_or_default();
        writeln!(page, "| `{command}` | {code} | {note} |").unwrap();
    }
    page
}

fn absence(command: &str) -> Option<&'static str> {
    let found = ABSENT.iter().find(|(begins, _)| command.starts_with(begins));
    found.map(|(_, reason)| *reason)
}

#[test]
fn every_command_of_the_client_is_in_a_table_and_on_the_page() {
    let commands = commands();
    assert!(commands.len() > 150, "{commands:?}");
    let mut ends: BTreeMap<&String, i32> = BTreeMap::new();
    for row in every_row() {
        let (line, code) = row.command();
        if let Some(command) = command_of(&commands, line) {
            let end = ends.entry(command).or_insert(code);
            *end = code.min(*end);
        }
    }
    let missing: Vec<_> = commands.iter().filter(|name| !ends.contains_key(name)).collect();
    assert!(missing.is_empty(), "{} commands are in no table: {missing:?}", missing.len());
    for (command, code) in &ends {
        assert_eq!(*code == 0, absence(command).is_none(), "{command} ends with {code}");
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/stock-client.md");
    let page = page(&ends);
    if std::env::var_os("NAVIGATOR_WRITE_DOCS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == page, "docs/stock-client.md is stale; it says how to write it");
}
