//! Attributes that nearly every resource has.

use navigator_model::ProjectId;

use crate::{Context, attribute::Text};

/// Owner, description, times, revision. Times are UTC, `YYYY-MM-DDTHH:MM:SSZ`, as Neutron writes
/// them, so that they sort as text. The store bumps `revision_number` and `updated_at` whenever a
/// row changes.
#[derive(Clone, Debug, PartialEq, crate::Resource)]
#[resource(part)]
pub struct Standard {
    #[field(create, required, filter, sort)]
    pub project_id: ProjectId,
    #[field(create, update, filter, default = Text::default())]
    pub description: Text<255>,
    #[field(sort)]
    pub created_at: String,
    #[field(sort)]
    pub updated_at: String,
    #[field(filter, sort)]
    pub revision_number: i64,
}

impl Standard {
    /// Of a new object, as its creator said.
    pub fn of(input: &StandardCreate, context: &Context<'_>) -> Self {
        Self::new(input.project_id.clone(), input.description.clone(), context.now)
    }

    /// Of a new object.
    pub fn new(project_id: ProjectId, description: Text<255>, now: &str) -> Self {
        Self {
            project_id,
            description,
            created_at: now.to_owned(),
            updated_at: now.to_owned(),
            revision_number: 1,
        }
    }
}
