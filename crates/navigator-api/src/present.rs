//! From rows to the JSON that a caller may see, written straight into the answer's text: a list is
//! thousands of objects, and none of them is needed as anything else.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    ptr,
    sync::LazyLock,
};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use navigator_resources::{
    Attribute, Changes, Declaration, DecodeError, Embedded, Moment, Momentary, Reshape, Row, Rules,
    Visitor, attribute::show_json, visit_all,
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
    members: Vec<Shown>,
    reshape: Option<Reshape>,
    #[cfg(debug_assertions)]
    typed: Option<Typed>,
}

/// The object by way of its struct, for checking that what is written straight from a row is that.
#[cfg(debug_assertions)]
type Typed = fn(&Row) -> Result<Map<String, Value>, DecodeError>;

struct Shown {
    member: Cow<'static, Member>,
    /// For each of the rows whether the caller sees it there; empty: in all.
    seen: Vec<bool>,
}

#[derive(Clone)]
struct Member {
    name: &'static str,
    /// The attribute that it shows: `tenant_id` is `project_id`'s older name.
    of: &'static str,
    head: String,
    source: Source,
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

/// Of each declaration of the registry, by its address: what is the same for every request.
static MEMBERS: LazyLock<HashMap<usize, Vec<Member>>> = LazyLock::new(|| {
    struct Collect(HashMap<usize, Vec<Member>>);
    impl Visitor for Collect {
        fn visit<R: Rules>(&mut self) {
            self.0.insert(ptr::from_ref(R::declaration()).addr(), members_of::<R>());
        }
    }
    let mut collect = Collect(HashMap::new());
    visit_all(&mut collect);
    collect.0
});

fn members_of<R: Rules>() -> Vec<Member> {
    let mut members = stored_members(R::declaration(), R::reshape());
    let momentary = R::momentary().iter();
    members.extend(momentary.map(|known| Member::new(known.name, Source::Momentary(known))));
    members.sort_by_key(|member| member.name);
    members
}

fn stored_members(declaration: &'static Declaration, reshape: Option<Reshape>) -> Vec<Member> {
    let mut members = Vec::new();
    for (place, attribute) in declaration.all().enumerate().filter(|(_, a)| a.visible) {
        let member = Member::new(attribute.name, Source::Stored(attribute, place));
        if attribute.name == "project_id" {
            members.push(Member { name: "tenant_id", head: head("tenant_id"), ..member.clone() });
        }
        members.push(member);
    }
    let adds = reshape.iter().flat_map(|reshape| reshape.adds);
    members.extend(adds.map(|name| Member::new(name, Source::Change)));
    members.sort_by_key(|member| member.name);
    members
}

impl Member {
    fn new(name: &'static str, source: Source) -> Self {
        Self { name, of: name, head: head(name), source }
    }
}

impl Form {
    /// Without what `R` embeds.
    pub(crate) fn of<R: Rules>() -> Self {
        let known = MEMBERS.get(&ptr::from_ref(R::declaration()).addr());
        let members = known.into_iter().flatten().map(Cow::Borrowed);
        Self {
            #[cfg(debug_assertions)]
            typed: Some(|row| R::from_row(row).map(|object| object.to_json())),
            ..Self::new(R::declaration(), R::reshape(), members)
        }
    }

    /// Of the objects that are shown inside others: without their tags.
    pub(crate) fn embedded(embedded: &Embedded) -> Self {
        let (declaration, reshape) = ((embedded.declaration)(), (embedded.reshape)());
        let mut members = stored_members(declaration, reshape);
        members.retain(|member| member.name != "tags");
        Self::new(declaration, reshape, members.into_iter().map(Cow::Owned))
    }

    fn new(
        declaration: &'static Declaration,
        reshape: Option<Reshape>,
        members: impl Iterator<Item = Cow<'static, Member>>,
    ) -> Self {
        Self {
            table: declaration.table,
            members: members.map(|member| Shown { member, seen: Vec::new() }).collect(),
            reshape,
            #[cfg(debug_assertions)]
            typed: None,
        }
    }

    /// A member that is given with each row, after those that are given already.
    pub(crate) fn give(&mut self, name: &'static str) {
        let is_given = |shown: &&Shown| matches!(shown.member.source, Source::Given(_));
        let given = self.members.iter().filter(is_given).count();
        let place = self.members.partition_point(|shown| shown.member.name < name);
        let member = Cow::Owned(Member::new(name, Source::Given(given)));
        self.members.insert(place, Shown { member, seen: Vec::new() });
    }

    /// Only what was asked for.
    pub(crate) fn only(mut self, fields: &Fields) -> Self {
        if let Some(fields) = fields {
            self.members.retain(|shown| fields.contains(shown.member.name));
        }
        self
    }

    pub(crate) fn shows(&self, name: &str) -> bool {
        self.members.iter().any(|shown| shown.member.name == name)
    }

    /// Without what the caller does not see of the rows that this was found out for.
    pub(crate) fn without(mut self, hidden: Hidden) -> Self {
        self.members.retain(|shown| !hidden.everywhere.iter().any(|name| name == shown.member.of));
        for (name, seen) in hidden.of_some {
            for shown in self.members.iter_mut().filter(|shown| shown.member.of == name) {
                shown.seen.clone_from(&seen);
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
        for Shown { member, seen } in &self.members {
            if seen.get(index) == Some(&false) {
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
