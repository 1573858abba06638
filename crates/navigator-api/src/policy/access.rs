//! One caller's access to the objects of one resource, for the length of one request.

use std::sync::Arc;

use navigator_model::ProjectId;
use navigator_policy::{Check, Outcome};
use navigator_resources::{
    Attribute, Caller, Declaration, OnCreate, Refusal, Resource, Row, SqlValue,
};
use navigator_store::{Columns, Listing};
use serde_json::Value as Json;

use super::{
    Policy, Who,
    about::{About, Seen},
    forbidden,
    related::Related,
};
use crate::{body::Attributes, fault::Fault, state::ApiState, turns::others_go_on};

/// Ids per statement.
const CHUNK: usize = 1000;

pub(crate) struct Access<'a> {
    state: &'a ApiState,
    policy: Arc<Policy>,
    pub(crate) caller: &'a Caller,
    declaration: &'static Declaration,
    /// As rules call the resource.
    name: String,
    related: Related,
}

impl<'a> Access<'a> {
    pub(crate) fn to<R: Resource>(state: &'a ApiState, caller: &'a Caller) -> Self {
        Self::new(state, caller, R::declaration())
    }

    pub(crate) fn new(
        state: &'a ApiState,
        caller: &'a Caller,
        declaration: &'static Declaration,
    ) -> Self {
        let (policy, related) = (state.policy.now(), Related::of(declaration));
        Self { state, policy, caller, declaration, name: declaration.policy_name(), related }
    }

    /// Of a child: its parent, as the URL says it.
    pub(crate) fn set_parent(&mut self, parent: &Row) {
        self.related.set_parent(parent.clone());
    }

    /// `create_network` of `create`.
    pub(crate) fn rule(&self, verb: &str) -> String {
        [verb, "_", &self.name].concat()
    }

    /// The outcome as far as it is the same for every object.
    pub(crate) fn always(&self, rule: &str) -> Outcome {
        self.policy.always(self.caller, rule)
    }

    fn outcome(&self, rule: &str, about: About<'_>) -> Outcome {
        let seen = Seen { about, declaration: self.declaration, related: &self.related };
        self.policy.rules.decide(rule, &Who(self.caller), &seen)
    }

    /// Whether the rule holds for each of them.
    pub(crate) async fn hold(
        &mut self,
        rule: &str,
        about: &[About<'_>],
    ) -> Result<Vec<bool>, Fault> {
        match self.always(rule) {
            Outcome::Allow => return Ok(vec![true; about.len()]),
            Outcome::Deny => return Ok(vec![false; about.len()]),
            Outcome::Depends => {}
        }
        let open: Vec<About<'_>> = about
            .iter()
            .copied()
            .filter(|about| self.outcome(rule, *about) == Outcome::Depends)
            .collect();
        if !open.is_empty() {
            self.learn(rule, &open).await?;
        }
        Ok(about.iter().map(|about| self.outcome(rule, *about) == Outcome::Allow).collect())
    }

    /// Loads the related objects that the rule asks for.
    async fn learn(&mut self, rule: &str, about: &[About<'_>]) -> Result<(), Fault> {
        let (state, caller) = (self.state, self.caller);
        let policy = Arc::clone(&self.policy);
        let rules = policy.rules.closure(rule);
        for relation in self.related.asked_by(&rules) {
            let mut ids: Vec<String> = about.iter().filter_map(|a| relation.id(a)).collect();
            ids.retain(|id| !relation.rows.contains_key(id));
            ids.sort_unstable();
            ids.dedup();
            let rows = load(state, caller, relation.declaration, &ids).await?;
            if about.iter().any(|about| matches!(about, About::New(_))) {
                check_seen(state, caller, relation.declaration, &ids, rows.clone()).await?;
            }
            relation.rows.extend(ids.into_iter().map(|id| (id, None)));
            let found = rows.into_iter().map(|row| (row.text("id").to_owned(), Some(row)));
            relation.rows.extend(found);
        }
        Ok(())
    }

    /// What the database restricts lists to; what else the rules ask, [`Access::seen`] does.
    pub(crate) fn visible_to(&self) -> Option<ProjectId> {
        // The parent in the URL has been checked, and children show nothing beyond it.
        if self.declaration.parent.is_some() {
            return None;
        }
        self.visible_by(&self.rule("get"))
    }

    fn visible_by(&self, rule: &str) -> Option<ProjectId> {
        if self.always(rule) == Outcome::Allow {
            return None;
        }
        let listed = self.policy.is_listed(self.caller, rule);
        listed.then(|| self.caller.project_id.clone())
    }

    /// Those that the caller may see.
    pub(crate) async fn seen(&mut self, rows: Vec<Row>) -> Result<Vec<Row>, Fault> {
        let rule = self.rule("get");
        self.retain(rows, &rule).await
    }

    pub(crate) async fn retain(&mut self, rows: Vec<Row>, rule: &str) -> Result<Vec<Row>, Fault> {
        let about: Vec<_> = rows.iter().map(About::Object).collect();
        let held = self.hold(rule, &about).await?;
        Ok(rows.into_iter().zip(held).filter_map(|(row, held)| held.then_some(row)).collect())
    }

    /// The object with these values in these columns, if the caller may see it.
    pub(crate) async fn find(
        &mut self,
        conditions: Vec<(&'static str, SqlValue)>,
    ) -> Result<Option<Row>, Fault> {
        let visible_to = self.visible_to();
        self.one_of(conditions, visible_to, &self.rule("get"), Columns::Shown).await
    }

    /// The same without what only answers show.
    pub(crate) async fn find_facts(
        &mut self,
        conditions: Vec<(&'static str, SqlValue)>,
    ) -> Result<Option<Row>, Fault> {
        let visible_to = self.visible_to();
        self.one_of(conditions, visible_to, &self.rule("get"), Columns::Facts).await
    }

    /// The same by another rule than the resource's own, for a URL that does not say whose child it
    /// is: one of a parent that the caller does not see is not looked at any longer than none.
    pub(crate) async fn find_by(
        &mut self,
        rule: &str,
        conditions: Vec<(&'static str, SqlValue)>,
    ) -> Result<Option<Row>, Fault> {
        let visible_to = self.visible_by(rule);
        self.one_of(conditions, visible_to, rule, Columns::Shown).await
    }

    async fn one_of(
        &mut self,
        conditions: Vec<(&'static str, SqlValue)>,
        visible_to: Option<ProjectId>,
        rule: &str,
        columns: Columns,
    ) -> Result<Option<Row>, Fault> {
        let viewer = self.caller.project_id.clone();
        let listing = Listing { conditions, visible_to, viewer, columns, ..Listing::default() };
        let row = self.state.store.find(self.declaration, listing).await?;
        Ok(self.retain(row.into_iter().collect(), rule).await?.pop())
    }

    /// 403 where the rule holds for nothing, whatever it is about.
    pub(crate) fn check_ever(&self, rule: &str) -> Result<(), Refusal> {
        if self.always(rule) == Outcome::Deny { Err(forbidden(rule)) } else { Ok(()) }
    }

    /// 403 with the first of the rules that does not hold.
    pub(crate) async fn permit<S: AsRef<str>>(
        &mut self,
        rules: impl IntoIterator<Item = S>,
        about: About<'_>,
    ) -> Result<(), Fault> {
        for rule in rules {
            if self.hold(rule.as_ref(), &[about]).await? != [true] {
                return Err(forbidden(rule.as_ref()).into());
            }
        }
        Ok(())
    }

    /// Whether the caller may make these. What is said to be its default is not said.
    pub(crate) async fn permit_create(&mut self, items: &[Attributes]) -> Result<(), Fault> {
        let rule = self.rule("create");
        let about: Vec<_> = items.iter().map(About::New).collect();
        if self.hold(&rule, &about).await?.contains(&false) {
            return Err(forbidden(&rule).into());
        }
        for (index, item) in items.iter().enumerate() {
            let mut said = item.clone();
            said.retain(|name, value| {
                let attribute = self.declaration.attribute(name);
                attribute.is_none_or(|attribute| !is_default(attribute, value))
            });
            self.permit(self.named(&rule, &said), About::New(item)).await?;
            others_go_on(index + 1).await;
        }
        Ok(())
    }

    /// The rules below `rule` for what is said: `update_port:fixed_ips`, and
    /// `update_port:fixed_ips:ip_address` if a part of it is.
    pub(crate) fn named(&self, rule: &str, said: &Attributes) -> Vec<String> {
        let below = self.policy.rules.below(rule);
        below.filter(|(_, path, _)| is_said(path, said)).map(|(name, ..)| name.to_owned()).collect()
    }

    /// Whether the caller ever sees the attribute: a filter on others would tell what it is.
    pub(crate) fn may_ask_for(&self, attribute: &Attribute) -> bool {
        let rule = format!("{}:{}", self.rule("get"), attribute.name);
        self.policy.rules.get(&rule).is_none() || self.always(&rule) != Outcome::Deny
    }

    /// The attribute's rule, if it depends on the object whether the caller sees it.
    pub(crate) fn open_rule(&self, attribute: &Attribute) -> Option<String> {
        let rule = format!("{}:{}", self.rule("get"), attribute.name);
        let open = self.policy.rules.get(&rule).is_some();
        (open && self.always(&rule) == Outcome::Depends).then_some(rule)
    }

    /// The attributes that the caller does not see of these rows.
    pub(crate) async fn hidden(&mut self, rows: &[Row]) -> Result<Hidden, Fault> {
        let mut hidden = Hidden::default();
        let about: Vec<_> = rows.iter().map(About::Object).collect();
        let get = self.rule("get");
        let policy = Arc::clone(&self.policy);
        // Most of them say the same.
        let mut known: Vec<(&Check, Outcome)> = Vec::new();
        for (rule, attribute, check) in policy.rules.below(&get) {
            let told = known.iter().find(|(other, _)| *other == check);
            let outcome = told.map_or_else(|| self.always(rule), |(_, outcome)| *outcome);
            known.push((check, outcome));
            match outcome {
                Outcome::Allow => {}
                Outcome::Deny => hidden.everywhere.push(attribute.to_owned()),
                Outcome::Depends => {
                    let seen = self.hold(rule, &about).await?;
                    hidden.of_some.push((attribute.to_owned(), seen));
                }
            }
        }
        Ok(hidden)
    }
}

/// Attributes that a caller does not see.
#[derive(Default)]
pub(crate) struct Hidden {
    /// Of no object.
    pub(crate) everywhere: Vec<String>,
    /// Attributes whose rule depends on the object: for each of the rows whether they are seen.
    pub(crate) of_some: Vec<(String, Vec<bool>)>,
}

impl Hidden {
    /// What is hidden of the row with this index.
    pub(crate) fn of(&self, index: usize) -> impl Iterator<Item = &str> {
        let unseen = move |(_, seen): &&(String, Vec<bool>)| seen.get(index) == Some(&false);
        let here = self.of_some.iter().filter(unseen).map(|(name, _)| name);
        self.everywhere.iter().chain(here).map(String::as_str)
    }
}

/// What a new object refers to and the caller may not see does not exist, in the answer neither.
async fn check_seen(
    state: &ApiState,
    caller: &Caller,
    declaration: &'static Declaration,
    ids: &[String],
    rows: Vec<Row>,
) -> Result<(), Fault> {
    let mut access = Access::new(state, caller, declaration);
    let seen = Box::pin(access.seen(rows)).await?;
    match ids.iter().find(|id| !seen.iter().any(|row| row.text("id") == *id)) {
        None => Ok(()),
        Some(id) => Err(Refusal::NotFound { class: declaration.class, id: id.clone() }.into()),
    }
}

/// Rows of these ids, of any project.
async fn load(
    state: &ApiState,
    caller: &Caller,
    declaration: &'static Declaration,
    ids: &[String],
) -> Result<Vec<Row>, Fault> {
    let Some(attribute) = declaration.all().find(|a| a.column == "id") else {
        return Ok(Vec::new());
    };
    let mut rows = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let values = chunk.iter().map(|id| Some(SqlValue::from(id.as_str()))).collect();
        let listing = Listing {
            filters: vec![(attribute, values)],
            viewer: caller.project_id.clone(),
            ..Listing::default()
        };
        rows.extend(state.store.list(declaration, &listing).await?);
    }
    Ok(rows)
}

fn is_default(attribute: &Attribute, value: &Json) -> bool {
    matches!(attribute.on_create, OnCreate::Default(default) if *value == default())
}

/// `fixed_ips`, or `fixed_ips:ip_address` where one of the list's items has it.
fn is_said(path: &str, said: &Attributes) -> bool {
    if said.contains_key(path) {
        return true;
    }
    let Some((attribute, part)) = path.rsplit_once(':') else { return false };
    match said.get(attribute) {
        Some(Json::Object(parts)) => parts.contains_key(part),
        Some(Json::Array(items)) => items.iter().any(|item| item.get(part).is_some()),
        _ => false,
    }
}
