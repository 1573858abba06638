//! Metering labels: names under which the traffic of a project's routers is counted.

use navigator_model::ProjectId;

use crate::{Context, Facts, Resource, Rules, Stop, Writes, attribute::Text};

crate::attribute::ids! { MeteringLabelId }

/// A name for counted traffic.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "metering_label",
    collection = "metering_labels",
    path = "metering/metering_labels",
    class = "MeteringLabel",
    extension = "metering",
    visible_to_all = "shared",
    without(update)
)]
pub struct MeteringLabel {
    #[field(id, filter, sort)]
    pub id: MeteringLabelId,
    #[field(create, filter, sort, default = Text::default())]
    pub name: Text<255>,
    #[field(create, filter, sort, default = Text::default())]
    pub description: Text<1024>,
    /// Counts the traffic of every project.
    #[field(create, filter, sort, default = false)]
    pub shared: bool,
    #[field(create, required, filter, sort)]
    pub project_id: ProjectId,
}

impl Rules for MeteringLabel {
    fn create(
        input: &MeteringLabelCreate,
        _parent: Option<&str>,
        _facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let label = Self {
            id: MeteringLabelId(context.uuid("metering_label")),
            name: input.name.clone(),
            description: input.description.clone(),
            shared: input.shared,
            project_id: input.project_id.clone(),
        };
        let mut writes = Writes::new();
        writes.insert(&label);
        Ok((label, writes))
    }

    /// Its rules go with it.
    fn delete(current: &Self, _facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        Ok(writes)
    }
}
