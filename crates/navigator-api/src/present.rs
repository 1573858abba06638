//! From rows to the JSON that a caller may see, written straight into the answer's text: a list is
//! thousands of objects, and none of them is needed as anything else.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use navigator_resources::{
    Attribute, Changes, Declaration, DecodeError, Embedded, Moment, Momentary, Reshape, Row, Rules,
    attribute::show_json,
};
#[cfg(debug_assertions)]
use serde_json::Map;
use serde_json::Value;

use crate::{
    policy::Hidden,
    state::{ApiState, now},
};

/// Which attributes a request asked for; `None` is all.
pub(crate) type Fields = Option<BTreeSet<String>>;

pub(crate) fn moment(state: &ApiState) -> Moment<'_> {
    Moment { now: now(), settings: &state.settings }
}

/// An answer that is JSON already.
pub(crate) struct JsonText(Vec<u8>);

impl JsonText {
    /// Begins an object with a member, whose value is to be written.
    pub(crate) fn object(name: &str) -> Self {
        Self(format!("{{{}", head(name)).into_bytes())
    }

    /// The next member; names come in their order.
    pub(crate) fn member(&mut self, name: &str) {
        self.0.push(b',');
        self.0.extend_from_slice(head(name).as_bytes());
    }

    /// What is written so far, to be gone on with.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Ends the object.
    pub(crate) fn end(mut self) -> Self {
        self.0.push(b'}');
        self
    }

    /// For the few who need an answer that is not all theirs.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.0).unwrap_or_default()
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        Self(value.to_string().into_bytes())
    }
}

impl IntoResponse for JsonText {
    fn into_response(self) -> Response {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, JSON)], Body::from(self.0)).into_response()
    }
}

/// `"name":`, of a name of our own, in which nothing has to be escaped.
fn head(name: &str) -> String {
    debug_assert!(!name.contains(|c: char| c == '"' || c == '\\' || c.is_control()), "{name}");
    ["\"", name, "\":"].concat()
}

/// How a resource's objects become JSON for a caller: their members in the order of their names.
pub(crate) struct Form {
    table: &'static str,
    members: Vec<Member>,
    reshape: Option<Reshape>,
    #[cfg(debug_assertions)]
    typed: Option<Typed>,
}

/// The object by way of its struct, for checking that what is written straight from a row is that.
#[cfg(debug_assertions)]
type Typed = fn(&Row) -> Result<Map<String, Value>, DecodeError>;

struct Member {
    name: &'static str,
    /// The attribute that it shows: `tenant_id` is `project_id`'s older name.
    of: &'static str,
    head: String,
    source: Source,
    /// For each of the rows whether the caller sees it there; empty: in all.
    seen: Vec<bool>,
}

#[derive(Clone, Copy)]
enum Source {
    /// With its place in the declaration, which is that in the row.
    Stored(&'static Attribute, usize),
    Momentary(&'static Momentary),
    /// Known only as a change of what the attributes say.
    Change,
    /// Written by whoever has it, and given with the row in this place.
    Given(usize),
}

impl Form {
    /// Without what `R` embeds.
    pub(crate) fn of<R: Rules>() -> Self {
        let mut form = Self::new(R::declaration(), R::reshape());
        #[cfg(debug_assertions)]
        {
            form.typed = Some(|row| R::from_row(row).map(|object| object.to_json()));
        }
        for momentary in R::momentary() {
            form.push(momentary.name, Source::Momentary(momentary));
        }
        form
    }

    /// Of the objects that are shown inside others: without their tags.
    pub(crate) fn embedded(embedded: &Embedded) -> Self {
        let mut form = Self::new((embedded.declaration)(), (embedded.reshape)());
        form.members.retain(|member| member.name != "tags");
        form
    }

    fn new(declaration: &'static Declaration, reshape: Option<Reshape>) -> Self {
        let mut form = Self {
            table: declaration.table,
            members: Vec::new(),
            reshape,
            #[cfg(debug_assertions)]
            typed: None,
        };
        for (place, attribute) in declaration.all().enumerate().filter(|(_, a)| a.visible) {
            let source = Source::Stored(attribute, place);
            form.push(attribute.name, source);
            if attribute.name == "project_id" {
                form.insert("tenant_id", attribute.name, source);
            }
        }
        for name in reshape.iter().flat_map(|reshape| reshape.adds) {
            form.push(name, Source::Change);
        }
        form
    }

    fn push(&mut self, name: &'static str, source: Source) {
        self.insert(name, name, source);
    }

    fn insert(&mut self, name: &'static str, of: &'static str, source: Source) {
        let place = self.members.partition_point(|member| member.name < name);
        let member = Member { name, of, head: head(name), source, seen: Vec::new() };
        self.members.insert(place, member);
    }

    /// A member that is given with each row, after those that are given already.
    pub(crate) fn give(&mut self, name: &'static str) {
        let given = self.members.iter().filter(|m| matches!(m.source, Source::Given(_)));
        self.push(name, Source::Given(given.count()));
    }

    /// Only what was asked for.
    pub(crate) fn only(mut self, fields: &Fields) -> Self {
        if let Some(fields) = fields {
            self.members.retain(|member| fields.contains(member.name));
        }
        self
    }

    pub(crate) fn shows(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// Without what the caller does not see of the rows that this was found out for.
    pub(crate) fn without(mut self, hidden: Hidden) -> Self {
        self.members.retain(|member| !hidden.everywhere.iter().any(|name| name == member.of));
        for (name, seen) in hidden.of_some {
            for member in self.members.iter_mut().filter(|member| member.of == name) {
                member.seen.clone_from(&seen);
            }
        }
        self
    }

    /// Appends the object of the row with this index.
    pub(crate) fn write(
        &self,
        index: usize,
        row: &Row,
        given: &[Vec<u8>],
        moment: &Moment<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let changes = match self.reshape {
            Some(reshape) => (reshape.changes)(row)?,
            None => Changes::new(),
        };
        #[cfg(debug_assertions)]
        let start = out.len();
        let mut before = b'{';
        for member in &self.members {
            if member.seen.get(index) == Some(&false) {
                continue;
            }
            let change = changes.iter().find(|(name, _)| *name == member.of);
            if matches!((change, member.source), (Some((_, None)), _) | (None, Source::Change)) {
                continue;
            }
            out.push(before);
            before = b',';
            out.extend_from_slice(member.head.as_bytes());
            let error = |reason| DecodeError { table: self.table, column: member.of, reason };
            match (change, member.source) {
                (Some((_, Some(value))), _) => show_json(value, out).map_err(error)?,
                (_, Source::Stored(attribute, place)) => {
                    (attribute.show)(row.at(place, attribute.column), out).map_err(error)?;
                }
                (_, Source::Momentary(momentary)) => (momentary.show)(row, moment, out)?,
                (_, Source::Given(place)) => {
                    out.extend_from_slice(given.get(place).map_or(b"null", Vec::as_slice));
                }
                (_, Source::Change) => {}
            }
        }
        if before == b'{' {
            out.push(before);
        }
        out.push(b'}');
        #[cfg(debug_assertions)]
        self.check(row, &out[start..]);
        Ok(())
    }

    #[cfg(debug_assertions)]
    fn check(&self, row: &Row, text: &[u8]) {
        let Some(Ok(typed)) = self.typed.map(|typed| typed(row)) else { return };
        let written: Value = serde_json::from_slice(text).unwrap_or_default();
        for (name, value) in typed.iter().filter(|(name, _)| written.get(name).is_some()) {
            debug_assert_eq!(written[name], *value, "{}: {name}", self.table);
        }
    }
}
