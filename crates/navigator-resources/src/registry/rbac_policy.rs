//! RBAC policies: what an owner shares with another project, or with all. They are the only truth
//! about it: an object's `shared` is computed from them, for whoever asks, and saying `shared` in a
//! request makes or removes the policy for all (`sharing.rs`).

use navigator_model::ProjectId;
use serde_json::{Value, json};

use crate::{
    AttributeValue, Context, Facts, Refusal, Resource, Rules, Select, SqlType, SqlValue, Stop,
    Writes, attribute::quoted, registry::{Visitor, visit_all},
};

mod object;
#[cfg(test)]
mod tests;
pub use object::check_covered;
use object::Object;

crate::attribute::ids! { RbacPolicyId, SharedObjectId }

/// The target that means every project.
pub const EVERYBODY: &str = "*";

crate::word_attribute! {
    /// What a policy lets its target do with the object: use it as its owner does, or, of a
    /// network, take addresses and gateways there.
    pub enum Action {
        Shared => "access_as_shared",
        External => "access_as_external",
    }
}

/// The `rbac` of a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectType(pub &'static str);

impl ObjectType {
    fn all() -> Vec<&'static str> {
        struct Collect(Vec<&'static str>);
        impl Visitor for Collect {
            fn visit<R: Rules>(&mut self) {
                self.0.extend(R::declaration().rbac);
            }
        }
        let mut collect = Collect(Vec::new());
        visit_all(&mut collect);
        collect.0
    }

    fn read(text: &str) -> Option<Self> {
        Self::all().into_iter().find(|known| *known == text).map(Self)
    }
}

impl AttributeValue for ObjectType {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        value.as_str().and_then(Self::read).ok_or_else(|| {
            let known = Self::all().join("', '");
            format!("'{}' is not in ['{known}']", quoted(value))
        })
    }

    fn to_json(&self) -> Value {
        self.0.into()
    }

    fn to_sql(&self) -> SqlValue {
        self.0.into()
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Text(text) => Self::read(text).ok_or_else(|| format!("unknown {text}")),
            other => crate::attribute::unexpected(other),
        }
    }

    fn schema() -> Value {
        json!({"type": "string", "enum": Self::all()})
    }
}

/// An object of one project that another, or every other, may use.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "rbac_policy",
    collection = "rbac_policies",
    class = "RbacPolicy",
    extension = "rbac-policies"
)]
pub struct RbacPolicy {
    #[field(id, filter, sort)]
    pub id: RbacPolicyId,
    #[field(create, required, filter, sort)]
    pub object_type: ObjectType,
    #[field(create, required, filter, sort)]
    pub object_id: SharedObjectId,
    #[field(create, required, filter, sort)]
    pub action: Action,
    /// A project's id, or `*` for every project.
    #[field(name = "target_tenant", create, update, required, filter, sort)]
    pub target_project: ProjectId,
    /// Whose the policy is.
    #[field(create, required, filter, sort)]
    pub project_id: ProjectId,
}

impl RbacPolicy {
    pub fn covers(&self, project: &ProjectId) -> bool {
        self.target_project.0 == EVERYBODY || self.target_project == *project
    }

    /// Those that let others do this with the object.
    pub fn of(object_id: &str, action: Action, facts: &Facts) -> Result<Vec<Self>, Stop> {
        facts.list(Select::eq("object_id", object_id).and("action", action.word()))
    }

    /// Everybody may do this with the object, by its owner's will.
    pub fn for_everybody<R: Resource>(
        object: &R,
        action: Action,
        project_id: ProjectId,
        context: &Context<'_>,
    ) -> Result<Self, Stop> {
        let object_type = R::declaration().rbac.unwrap_or_default();
        let id = object.id();
        let invalid = |_| Refusal::invalid("id", "not a UUID");
        Ok(Self {
            id: RbacPolicyId(context.uuid(&format!("{}/{id}", action.word()))),
            object_type: ObjectType(object_type),
            object_id: id.parse().map_err(invalid)?,
            action,
            target_project: EVERYBODY.into(),
            project_id,
        })
    }

    fn insert(&self, writes: &mut Writes) {
        writes.insert_or(self, Some(Refusal::DuplicateRbacPolicy {}));
    }

    /// Whether everybody may be the target, the attribute's policy rule has said.
    fn check_target(target: &ProjectId) -> Result<(), Refusal> {
        if target.0.is_empty() {
            return Err(Refusal::invalid("target_tenant", "it names no project"));
        }
        Ok(())
    }

    /// Nobody needs what is left when this policy changes into `after`, or goes.
    fn check_unused(&self, after: Option<&Self>, facts: &Facts) -> Result<(), Stop> {
        let Some(object) = Object::of(self, facts)? else { return Ok(()) };
        let mut left = Self::of(&self.object_id.to_string(), self.action, facts)?;
        left.retain(|policy| policy.id != self.id);
        left.extend(after.cloned());
        object.check_open(self.action, &left)?;
        check_covered(&self.object_id.to_string(), &object.users, &left)?;
        Ok(())
    }
}

impl Rules for RbacPolicy {
    fn create(
        input: &RbacPolicyCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        Self::check_target(&input.target_project)?;
        let policy = Self {
            id: RbacPolicyId(context.uuid("rbac_policy")),
            object_type: input.object_type.clone(),
            object_id: input.object_id,
            action: input.action,
            target_project: input.target_project.clone(),
            project_id: input.project_id.clone(),
        };
        let object = Object::of(&policy, facts)?;
        let object = object.filter(|object| object.is_visible_to(context.caller));
        let object = object.ok_or_else(|| Refusal::NotFound {
            class: Object::class(policy.object_type.0),
            id: policy.object_id.to_string(),
        })?;
        if !context.caller.owns(&object.owner) {
            let error_message =
                "Only admins can manipulate policies on objects they do not own".to_owned();
            return Err(Refusal::InvalidInput { error_message }.into());
        }
        let mut writes = Writes::new();
        policy.insert(&mut writes);
        object.grant(&policy, facts, context, &mut writes)?;
        Ok((policy, writes))
    }

    fn update(
        current: &Self,
        update: &RbacPolicyUpdate,
        facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut policy = current.clone();
        update.apply_to(&mut policy);
        let mut writes = Writes::new();
        if policy == *current {
            return Ok((policy, writes));
        }
        Self::check_target(&policy.target_project)?;
        current.check_unused(Some(&policy), facts)?;
        let others = Self::of(&policy.object_id.to_string(), policy.action, facts)?;
        if others.iter().any(|other| other.target_project == policy.target_project) {
            return Err(Refusal::DuplicateRbacPolicy {}.into());
        }
        writes.update(&policy);
        if let Some(object) = Object::of(current, facts)? {
            object.bump(&mut writes);
        }
        Ok((policy, writes))
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        current.check_unused(None, facts)?;
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        if let Some(object) = Object::of(current, facts)? {
            object.revoke(current, facts, &mut writes)?;
        }
        Ok(writes)
    }
}
