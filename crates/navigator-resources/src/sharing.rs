//! `shared` in requests: the policy that lets every project use the object.

use navigator_model::ProjectId;

use crate::{
    Context, Facts, RbacPolicy, Resource, Rules, Stop, Write, Writes,
    registry::rbac_policy::{Action, EVERYBODY, check_covered},
};

fn owner<R: Resource>(object: &R) -> ProjectId {
    object.to_row().text("project_id").into()
}

/// Creates as the resource's rules decide. One that is made shared is so by a policy.
pub fn create<R: Rules>(
    input: &R::Create,
    parent: Option<&str>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(R, Writes), Stop> {
    let (object, mut writes) = R::create(input, parent, facts, context)?;
    let shared = R::declaration().rbac.is_some()
        && object.to_json().get("shared").is_some_and(|shared| *shared == true);
    if shared {
        let project_id = owner(&object);
        let policy = RbacPolicy::for_everybody(&object, Action::Shared, project_id, context)?;
        writes.insert(&policy);
    }
    Ok((object, writes))
}

/// Updates as the resource's rules decide. `shared` is what the request says of it, if anything: the
/// policy for everybody comes or goes, and those for single projects stay.
pub fn update<R: Rules>(
    current: &R,
    update: &R::Update,
    shared: Option<bool>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(R, Writes), Stop> {
    let (object, mut writes) = R::update(current, update, facts, context)?;
    let declaration = R::declaration();
    let (Some(shared), Some(_)) = (shared, declaration.rbac) else { return Ok((object, writes)) };
    let id = object.id();
    let mut policies = RbacPolicy::of(&id, Action::Shared, facts)?;
    let open = policies.iter().position(|policy| policy.target_project.0 == EVERYBODY);
    match (open, shared) {
        (None, true) => {
            let project_id = owner(&object);
            let policy = RbacPolicy::for_everybody(&object, Action::Shared, project_id, context)?;
            writes.insert(&policy);
        }
        (Some(index), false) => {
            let policy = policies.remove(index);
            let mut users = current.used_by(Action::Shared, facts)?;
            let owner = owner(&object);
            users.retain(|user| !user.0.is_empty() && *user != owner);
            check_covered(&id, &users, &policies)?;
            writes.delete::<RbacPolicy>(policy.id);
        }
        _ => return Ok((object, writes)),
    }
    let written = |write: &Write| matches!(write, Write::Update { id: by, .. } if *by == id);
    if !writes.0.iter().any(written) {
        writes.push(Write::Bump { declaration, id });
    }
    Ok((object, writes))
}
