//! The table as text: takes a listing apart into its objects, and writes elements as nft commands.
//! Pure; the text comes from the renderer or from libnftables, never from users.

use std::{collections::BTreeMap, fmt::Write as _, net::Ipv4Addr};

use navigator_state::nft::{ElementChange, TABLE, Tuple};

/// Our table in a listing of all tables, from its first line to its closing brace; empty if it is
/// not there. Only a table starts and ends without indentation.
pub(super) fn table(ruleset: &str) -> &str {
    let head = format!("table ip {TABLE} {{\n");
    let start = ruleset
        .match_indices(&head)
        .map(|(start, _)| start)
        .find(|start| *start == 0 || ruleset.as_bytes()[start - 1] == b'\n');
    let Some(start) = start else { return "" };
    let table = &ruleset[start..];
    let end = table.find("\n}\n").map_or(table.len(), |end| end + "\n}\n".len());
    &table[..end]
}

/// A listing taken apart: the objects (`set x`, `chain y`) in order, each with its lines.
#[derive(Default)]
pub(super) struct Listing<'a> {
    objects: Vec<(&'a str, Vec<&'a str>)>,
}

impl<'a> Listing<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let mut listing = Self::default();
        let mut open = false;
        for line in text.lines().skip(1) {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if open {
                open = line != "}";
                if open && let Some((_, lines)) = listing.objects.last_mut() {
                    lines.push(line);
                }
            } else if let Some(name) = line.strip_suffix(" {") {
                listing.objects.push((name, Vec::new()));
                open = true;
            } else if line != "}" {
                // A line of the table's own, such as `flags dormant`.
                listing.objects.push((line, Vec::new()));
            }
        }
        listing
    }

    pub(super) fn chains(&self) -> impl Iterator<Item = &'a str> {
        self.objects.iter().filter_map(|(name, _)| name.strip_prefix("chain "))
    }

    /// Everything but the chains: sets, maps, and whatever a stranger put there.
    fn rest(&self) -> impl Iterator<Item = &(&'a str, Vec<&'a str>)> {
        self.objects.iter().filter(|(name, _)| !name.starts_with("chain "))
    }

    /// Whether what stands in the kernel can stay and be completed to `wanted`. Sets cannot be
    /// changed in place and are listed in the order in which they were made.
    pub(super) fn can_become(&self, wanted: &Self) -> bool {
        let mut wanted = wanted.rest();
        self.rest().all(|object| wanted.next() == Some(object))
    }

    /// The declared type of each set and map: fields of the key, fields of the value.
    fn types(&self) -> BTreeMap<&'a str, (Vec<&'a str>, Vec<&'a str>)> {
        let fields = |text: &'a str| text.split(" . ").map(str::trim).collect::<Vec<_>>();
        self.rest()
            .filter_map(|(name, lines)| {
                let name = name.strip_prefix("set ").or_else(|| name.strip_prefix("map "))?;
                let declared = lines.iter().find_map(|line| line.strip_prefix("type "))?;
                let declared = declared.trim_end_matches(';');
                let (key, data) = declared.split_once(" : ").unwrap_or((declared, ""));
                Some((name, (fields(key), fields(data))))
            })
            .collect()
    }
}

/// `add element` commands for everything that `changes` add, by the types that `skeleton` declares.
/// `None` if a change names a set that is not declared there.
pub(super) fn add_elements(skeleton: &str, changes: &[ElementChange]) -> Option<String> {
    let listing = Listing::parse(skeleton);
    let types = listing.types();
    let mut sets: BTreeMap<&str, String> = BTreeMap::new();
    for change in changes {
        let Some(element) = &change.add else { continue };
        let (key_type, data_type) = types.get(change.set.as_str())?;
        let text = sets.entry(&change.set).or_default();
        if !text.is_empty() {
            text.push_str(", ");
        }
        push_tuple(text, key_type, &change.key, element.key_end.as_ref());
        if let Some(data) = &element.data {
            text.push_str(" : ");
            push_tuple(text, data_type, data, None);
        }
    }
    let mut commands = String::new();
    for (set, elements) in sets {
        let _ = writeln!(commands, "add element ip {TABLE} {set} {{ {elements} }}");
    }
    Some(commands)
}

fn push_tuple(text: &mut String, types: &[&str], tuple: &Tuple, end: Option<&Tuple>) {
    for (n, kind) in types.iter().enumerate() {
        if n > 0 {
            text.push_str(" . ");
        }
        push_field(text, kind, tuple.word(n));
        if let Some(last) = end.map(|end| end.word(n)).filter(|last| *last != tuple.word(n)) {
            text.push('-');
            push_field(text, kind, last);
        }
    }
}

fn push_field(text: &mut String, kind: &str, word: [u8; 4]) {
    // Writing to a String cannot fail.
    let _ = match kind {
        "ipv4_addr" => write!(text, "{}", Ipv4Addr::from(word)),
        "inet_service" => write!(text, "{}", u16::from_be_bytes([word[0], word[1]])),
        "inet_proto" => write!(text, "{}", word[0]),
        _ => write!(text, "0x{:08x}", u32::from_be_bytes(word)),
    };
}

#[cfg(test)]
mod tests {
    use navigator_model::Protocol;
    use navigator_state::nft::Element;

    use super::*;

    const TEXT: &str = "table ip navigator {\n\tmap forwards {\n\t\ttype inet_proto . ipv4_addr . \
        inet_service : ipv4_addr . inet_service\n\t}\n\n\tset allowed {\n\t\ttype inet_proto . \
        ipv4_addr\n\t\tflags interval\n\t}\n\n\tchain a {\n\t}\n}\n";

    #[test]
    fn elements_are_written_by_the_declared_types() {
        let address = Ipv4Addr::new(198, 51, 100, 7);
        let change = |set: &str, key, key_end, data| ElementChange {
            set: set.to_owned(),
            key,
            remove: None,
            add: Some(Element { key_end, data }),
            object: None,
        };
        let tcp = Tuple::new().protocol(Protocol::Tcp);
        let text = add_elements(
            TEXT,
            &[
                change(
                    "forwards",
                    tcp.ipv4(address).port(8080),
                    None,
                    Some(Tuple::new().ipv4(Ipv4Addr::new(10, 0, 0, 5)).port(80)),
                ),
                change(
                    "allowed",
                    tcp.ipv4(Ipv4Addr::new(10, 0, 0, 0)),
                    Some(tcp.ipv4(Ipv4Addr::new(10, 0, 0, 255))),
                    None,
                ),
            ],
        );
        assert_eq!(
            text.unwrap(),
            "add element ip navigator allowed { 6 . 10.0.0.0-10.0.0.255 }\n\
             add element ip navigator forwards { 6 . 198.51.100.7 . 8080 : 10.0.0.5 . 80 }\n"
        );
    }

    #[test]
    fn our_table_is_cut_out_of_a_ruleset() {
        let other = "table ip other {\n\tchain navigator {\n\t}\n}\n";
        for ruleset in [format!("{other}{TEXT}{other}"), format!("{TEXT}{other}"), TEXT.to_owned()]
        {
            assert_eq!(table(&ruleset), TEXT);
        }
        assert_eq!(table(other), "");
        assert_eq!(table("table ip navigator {\n}\n"), "table ip navigator {\n}\n");
    }

    #[test]
    fn sets_must_be_the_first_of_the_wanted_ones() {
        let wanted = Listing::parse(TEXT);
        assert!(Listing::parse("").can_become(&wanted));
        assert!(wanted.can_become(&wanted));
        assert!(!wanted.can_become(&Listing::parse("")));
        let foreign = TEXT.replace("\tchain a", "\tcounter stranger {\n\t}\n\n\tchain a");
        assert!(!Listing::parse(&foreign).can_become(&wanted));
        let dormant = TEXT.replace("{\n\tmap", "{\n\tflags dormant\n\n\tmap");
        assert!(!Listing::parse(&dormant).can_become(&wanted));
        assert_eq!(wanted.chains().collect::<Vec<_>>(), ["a"]);
    }
}
