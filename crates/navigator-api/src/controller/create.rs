//! `POST`: one object, or many in one transaction.

use axum::{
    Extension,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use navigator_resources::{
    AttributeValue as _, Caller, Declaration, Rules, Write, attribute::Tags, sharing,
};
use navigator_store::Request;

use super::{Ids, access, embed::present_all, input, outcome};
use crate::{
    body::{self, Attributes, Posted},
    fault::Fault,
    present::{self, JsonText},
    quotas::check_room,
    state::{ApiState, now},
    turns::others_go_on,
};

pub(crate) async fn create<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    body: Bytes,
) -> Result<(StatusCode, JsonText), Fault> {
    let declaration = R::declaration();
    let (mut access, parent) = access::<R>(&state, &caller, &ids).await?;
    let owner = parent.as_ref().map(|row| row.text("project_id").to_owned());
    let (many, items) = match body::posted(declaration, &body)? {
        Posted::One(item) => (false, vec![item]),
        Posted::Many(items) => (true, items),
    };
    let items = checked(declaration, items, &caller, owner.as_deref()).await?;
    // After what is wrong with the body, as in Neutron.
    access.check_ever(&access.rule("create"))?;
    access.permit_create(&items).await?;
    if many {
        check_room(&state, declaration, &items).await?;
    }
    let inputs: Vec<R::Create> = items.iter().map(input).collect::<Result<_, Fault>>()?;
    let tags: Vec<Vec<String>> = items.iter().map(named_tags).collect();
    R::check_bulk(&inputs)?;
    let parent_id = ids.parent.as_deref();
    let request = Request {
        caller: &caller,
        settings: &state.settings,
        now: &now(),
        created: &[declaration],
    };
    let (rows, moved) = state
        .store
        .decide_and_show(
            request,
            inputs.len(),
            |index, facts, context| {
                let input = &inputs[index];
                let (object, mut writes) = sharing::create::<R>(input, parent_id, facts, context)?;
                if !tags[index].is_empty() {
                    let (id, add) = (object.id(), tags[index].clone());
                    writes.push(Write::Tag { id, add, remove: Vec::new() });
                }
                Ok((object.id(), writes))
            },
            outcome::<R>,
        )
        .await?;
    state.wake(moved);
    let moment = present::moment(&state);
    let mut answer = JsonText::object(if many { declaration.collection } else { declaration.name });
    answer.text().extend_from_slice(if many { b"[" } else { b"" });
    present_all::<R>(&state, &mut access, &rows, &moment, &None, answer.text()).await?;
    answer.text().extend_from_slice(if many { b"]" } else { b"" });
    Ok((StatusCode::CREATED, answer.end()))
}

/// Many are many milliseconds: others go on meanwhile.
async fn checked(
    declaration: &'static Declaration,
    items: Vec<Attributes>,
    caller: &Caller,
    owner: Option<&str>,
) -> Result<Vec<Attributes>, Fault> {
    let mut checked = Vec::with_capacity(items.len());
    for item in items {
        checked.push(body::for_create(declaration, item, caller, owner)?);
        others_go_on(checked.len()).await;
    }
    Ok(checked)
}

/// The tags that a new object starts with; they have been checked.
fn named_tags(attributes: &Attributes) -> Vec<String> {
    let named = attributes.get("tags").and_then(|tags| Tags::from_json(tags).ok());
    named.unwrap_or_default().0.into_iter().collect()
}
