//! Putting tags on an object and taking them away. The object is held by whoever asks.

use crate::{
    Attribute, AttributeValue as _, Declaration, Facts, OnCreate, Refusal, Stop, Write, Writes,
    attribute::Tags, declaration::Admin,
};

/// The attribute `tags`, which `sql` computes.
pub const fn attribute(sql: &'static str, on_create: OnCreate) -> Attribute {
    Attribute {
        name: "tags",
        column: "tags",
        sql: Tags::SQL,
        nullable: true,
        expression: Some(sql),
        fact: false,
        link: None,
        found: None,
        on_create,
        update: false,
        visible: true,
        filter: true,
        sort: false,
        admin: Admin { create: false, update: false, get: false },
        internal: false,
        check: |value| Tags::from_json(value).map(|_| ()),
        // Lists have filters of their own for tags.
        filter_value: |_| None,
        show: Tags::show,
        docs: "Words to find it by, at most 50.",
        schema: Tags::schema,
        input_schema: Tags::schema,
    }
}

/// What a request does to an object's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Replace(Tags),
    Add(Tags),
    /// It has to be there.
    Remove(String),
}

impl Change {
    /// The tags afterwards, and what makes it so. The object's revision moves on if they differ.
    pub fn decide(
        &self,
        declaration: &'static Declaration,
        id: &str,
        facts: &Facts,
    ) -> Result<(Tags, Writes), Stop> {
        let before = facts.tags(id)?;
        let mut after = before.clone();
        match self {
            Self::Replace(tags) => after.clone_from(tags),
            Self::Add(tags) => after.0.extend(tags.0.iter().cloned()),
            Self::Remove(tag) => {
                if !after.0.remove(tag) {
                    return Err(Refusal::TagNotFound { tag: tag.clone() }.into());
                }
            }
        }
        after.check_count().map_err(|error_message| Refusal::InvalidInput { error_message })?;
        let mut writes = Writes::new();
        if after != before {
            writes.push(Write::Tag {
                id: id.to_owned(),
                add: after.0.difference(&before.0).cloned().collect(),
                remove: before.0.difference(&after.0).cloned().collect(),
            });
            writes.push(Write::Bump { declaration, id: id.to_owned() });
        }
        Ok((after, writes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Network, Query, Resource, facts::Fact};

    fn tags(words: &[&str]) -> Tags {
        Tags(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// What is left and what is written, of an object with these tags.
    fn changed(before: &[&str], change: &Change) -> Result<(Tags, Vec<Write>), Refusal> {
        let mut facts = Facts::default();
        let query = Query::Tags { object_id: "n".to_owned() };
        facts.insert(query, Fact::Tags(tags(before)));
        match change.decide(Network::declaration(), "n", &facts) {
            Ok((after, writes)) => Ok((after, writes.0)),
            Err(Stop::Refuse(refusal)) => Err(refusal),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_differences_are_written() {
        let (after, writes) = changed(&["a", "b"], &Change::Replace(tags(&["b", "c"]))).unwrap();
        assert_eq!(after, tags(&["b", "c"]));
        let [Write::Tag { add, remove, .. }, Write::Bump { .. }] = writes.as_slice() else {
            panic!("{writes:?}")
        };
        assert_eq!(
            (add.as_slice(), remove.as_slice()),
            (&["c".to_owned()][..], &["a".to_owned()][..])
        );

        let (after, writes) = changed(&["a", "b"], &Change::Add(tags(&["b"]))).unwrap();
        assert_eq!((after, writes.len()), (tags(&["a", "b"]), 0));
    }

    #[test]
    fn a_tag_that_is_not_there_is_not_removed() {
        let remove = |tag: &str| changed(&["a"], &Change::Remove(tag.to_owned()));
        assert_eq!(remove("a").unwrap().0, tags(&[]));
        assert_eq!(remove("A").unwrap_err().type_name(), "TagNotFound");
    }

    #[test]
    fn adding_does_not_lead_past_the_most() {
        let many: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let add = |tag: &str| changed(&many, &Change::Add(tags(&[tag])));
        assert_eq!(add("one more").unwrap_err().status(), 400);
        assert!(add("7").is_ok());
    }
}
