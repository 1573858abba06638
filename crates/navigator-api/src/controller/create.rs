//! `POST`: one object, or many in one transaction.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use navigator_resources::{AttributeValue as _, Caller, Refusal, Rules, Write, attribute::Tags};
use serde_json::{Value, json};

use super::{Ids, embed::present_all, input, owned, parent, rows};
use crate::{
    body::{self, Attributes, Posted},
    fault::Fault,
    present::View,
    state::{ApiState, now},
};

pub(crate) async fn create<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let declaration = R::declaration();
    if declaration.admin_only && !caller.is_admin {
        let action = format!("create_{}", declaration.name);
        return Err(Refusal::PolicyNotAuthorized { action }.into());
    }
    let parent = parent(&state, declaration, &ids, &caller).await?;
    if let Some(row) = &parent {
        owned(declaration, row, &caller, "create")?;
    }
    let owner = parent.as_ref().map(|row| row.text("project_id").to_owned());
    let (many, items) = match body::posted(declaration, &body)? {
        Posted::One(item) => (false, vec![item]),
        Posted::Many(items) => (true, items),
    };
    let mut inputs: Vec<R::Create> = Vec::with_capacity(items.len());
    let mut tags = Vec::with_capacity(items.len());
    for item in items {
        let attributes = body::for_create(declaration, item, &caller, owner.as_deref())?;
        inputs.push(input(&attributes)?);
        tags.push(named_tags(&attributes));
    }
    R::check_bulk(&inputs)?;
    let parent_id = ids.parent.as_deref();
    let (created, moved) = state
        .store
        .create_all(
            &[declaration],
            &caller,
            &state.settings,
            &now(),
            inputs.len(),
            |index, facts, context| {
                let input = &inputs[index];
                let (object, mut writes) = R::create(input, parent_id, facts, context)?;
                if !tags[index].is_empty() {
                    let (id, add) = (object.id(), tags[index].clone());
                    writes.push(Write::Tag { id, add, remove: Vec::new() });
                }
                Ok((object.id(), writes))
            },
        )
        .await?;
    state.wake(moved);
    let rows = rows::<R>(&state, &created).await?;
    let view = View::of(&state, &caller);
    let values = present_all::<R>(&state, &rows, &view, &None).await?;
    let answer = if many {
        json!({ declaration.collection: values })
    } else {
        json!({ declaration.name: values.into_iter().next() })
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// The tags that a new object starts with; they have been checked.
fn named_tags(attributes: &Attributes) -> Vec<String> {
    let named = attributes.get("tags").and_then(|tags| Tags::from_json(tags).ok());
    named.unwrap_or_default().0.into_iter().collect()
}
