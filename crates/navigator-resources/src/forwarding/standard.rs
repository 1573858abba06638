//! The standard attributes of forwardings: as elsewhere, with a longer description.

use navigator_model::ProjectId;

use crate::attribute::Text;

/// As [`crate::Standard`]; Neutron lets a forwarding's description be 1024 characters long. The
/// owner is the parent's whatever the request says.
#[derive(Clone, Debug, PartialEq, crate::Resource)]
#[resource(part)]
pub struct ForwardingStandard {
    #[field(create, required, filter, sort)]
    pub project_id: ProjectId,
    #[field(create, update, filter, default = Text::default())]
    pub description: Text<1024>,
    #[field(sort)]
    pub created_at: String,
    #[field(sort)]
    pub updated_at: String,
    #[field(filter, sort)]
    pub revision_number: i64,
}

impl ForwardingStandard {
    /// Of a new forwarding.
    pub fn new(project_id: ProjectId, description: Text<1024>, now: &str) -> Self {
        Self {
            project_id,
            description,
            created_at: now.to_owned(),
            updated_at: now.to_owned(),
            revision_number: 1,
        }
    }
}
