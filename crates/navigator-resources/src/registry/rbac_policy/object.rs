//! What a policy is about, whichever resource it is of.

use navigator_model::ProjectId;

use super::{Action, EVERYBODY, RbacPolicy};
use crate::{
    Caller, Context, Declaration, Facts, Network, Refusal, Resource as _, Rules, Select, Stop, SubnetPool, Write,
    Writes,
    registry::{Visitor, network::check_not_external, visit_all},
};

/// An object, held.
pub(super) struct Object {
    declaration: &'static Declaration,
    id: String,
    pub(super) owner: ProjectId,
    /// Other projects that do with it what the policy's action allows.
    pub(super) users: Vec<ProjectId>,
    /// Others may see it.
    shared_with: Vec<RbacPolicy>,
    /// The network that automatic topologies lead out by.
    is_default: bool,
}

struct Find<'a> {
    policy: &'a RbacPolicy,
    facts: &'a Facts,
    found: Result<Option<Object>, Stop>,
}

impl Visitor for Find<'_> {
    fn visit<R: Rules>(&mut self) {
        if R::declaration().rbac == Some(self.policy.object_type.0) {
            self.found = load::<R>(self.policy, self.facts);
        }
    }
}

fn load<R: Rules>(policy: &RbacPolicy, facts: &Facts) -> Result<Option<Object>, Stop> {
    let declaration = R::declaration();
    if policy.action == Action::External && declaration.table != Network::declaration().table {
        let (action, object_type) = (policy.action.word(), policy.object_type.0);
        let error_message = format!("Invalid action '{action}' for object type '{object_type}'");
        return Err(Refusal::InvalidInput { error_message }.into());
    }
    let Some(object) = facts.lock::<R>(policy.object_id)? else { return Ok(None) };
    let owner = ProjectId::from(object.to_row().text("project_id"));
    let mut users = object.used_by(policy.action, facts)?;
    users.retain(|user| !user.0.is_empty() && *user != owner);
    let shared_with = facts.list(Select::eq("object_id", object.id()))?;
    let is_default = object.to_json().get("is_default").is_some_and(|it| *it == true);
    let is_default = is_default && policy.action == Action::External;
    Ok(Some(Object { declaration, id: object.id(), owner, users, shared_with, is_default }))
}

impl Object {
    /// `None` if it is gone or never was.
    pub(super) fn of(policy: &RbacPolicy, facts: &Facts) -> Result<Option<Self>, Stop> {
        let mut find = Find { policy, facts, found: Ok(None) };
        visit_all(&mut find);
        find.found
    }

    pub(super) fn is_visible_to(&self, caller: &Caller) -> bool {
        caller.owns(&self.owner)
            || self.shared_with.iter().any(|policy| policy.covers(&caller.project_id))
    }

    /// The default external network stays everybody's.
    pub(super) fn check_open(&self, action: Action, left: &[RbacPolicy]) -> Result<(), Refusal> {
        let open = left.iter().any(|policy| policy.target_project.0 == EVERYBODY);
        if open || !self.is_default || action != Action::External {
            return Ok(());
        }
        Err(Refusal::RbacPolicyInUse {
            object_id: self.id.clone(),
            details: "default external networks must be shared to everyone".to_owned(),
        })
    }

    /// What a policy that goes does to the object: a network that nobody may use as an external one
    /// any more is none.
    pub(super) fn revoke(
        &self,
        policy: &RbacPolicy,
        facts: &Facts,
        writes: &mut Writes,
    ) -> Result<(), Stop> {
        let last = self
            .shared_with
            .iter()
            .all(|other| other.id == policy.id || other.action != Action::External);
        if policy.action == Action::External
            && last
            && let Some(mut network) = facts.lock::<Network>(&self.id)?
            && network.external
        {
            check_not_external(&network, facts)?;
            network.external = false;
            writes.update(&network);
            return Ok(());
        }
        self.bump(writes);
        Ok(())
    }

    /// As in errors about objects of this type.
    pub(super) fn class(object_type: &str) -> &'static str {
        struct Class<'a>(&'a str, &'static str);
        impl Visitor for Class<'_> {
            fn visit<R: Rules>(&mut self) {
                if R::declaration().rbac == Some(self.0) {
                    self.1 = R::declaration().class;
                }
            }
        }
        let mut class = Class(object_type, "RbacPolicy");
        visit_all(&mut class);
        class.1
    }

    /// Clients see by the revision that who may use it has changed.
    pub(super) fn bump(&self, writes: &mut Writes) {
        let (declaration, id) = (self.declaration, self.id.clone());
        writes.push(Write::Bump { declaration, id });
    }

    /// What a new policy does to the object, if it may be: a network that is open to others as an external one is
    /// an external network, which is the administrator's to decide.
    pub(super) fn grant(
        &self,
        policy: &RbacPolicy,
        facts: &Facts,
        context: &Context<'_>,
        writes: &mut Writes,
    ) -> Result<(), Stop> {
        if self.declaration.table == SubnetPool::declaration().table
            && let Some(pool) = facts.find::<SubnetPool>(&self.id)?
        {
            pool.check_target(&policy.target_project, facts)?;
        }
        if policy.action == Action::External
            && let Some(mut network) = facts.lock::<Network>(&self.id)?
            && !network.external
        {
            if !context.caller.is_admin {
                let action = "update_network:router:external".to_owned();
                return Err(Refusal::PolicyNotAuthorized { action }.into());
            }
            network.external = true;
            writes.update(&network);
            return Ok(());
        }
        self.bump(writes);
        Ok(())
    }
}

/// Every user is still covered by one of the policies that are left.
pub fn check_covered(
    object_id: &str,
    users: &[ProjectId],
    left: &[RbacPolicy],
) -> Result<(), Refusal> {
    let uncovered = |user: &&ProjectId| !left.iter().any(|policy| policy.covers(user));
    match users.iter().find(uncovered) {
        None => Ok(()),
        Some(user) => Err(Refusal::RbacPolicyInUse {
            object_id: object_id.to_owned(),
            details: format!("project {user} uses it"),
        }),
    }
}
