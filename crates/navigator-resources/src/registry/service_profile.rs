//! Service profiles: what a flavor stands for, as a driver with its settings. Only administrators
//! see them.

use serde_json::Value;

use crate::{
    AttributeValue, Context, Facts, Flavor, Refusal, Resource, Rules, Select, SqlType, SqlValue,
    Stop, Writes,
    attribute::{JsonValue, Text},
    service_provider,
};

crate::attribute::ids! { ServiceProfileId }

impl JsonValue for ServiceProfileId {
    fn check(value: &Value) -> Result<Self, String> {
        AttributeValue::from_json(value)
    }

    fn show(&self) -> Value {
        AttributeValue::to_json(self)
    }
}

/// A driver with its settings.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "service_profile",
    collection = "service_profiles",
    class = "ServiceProfile",
    extension = "flavors",
    admin_only
)]
pub struct ServiceProfile {
    #[field(id, filter, sort)]
    pub id: ServiceProfileId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub description: Text<1024>,
    /// Empty, or that of a service provider.
    #[field(create, update, filter, sort, default = Text::default())]
    pub driver: Text<1024>,
    /// The driver's own business.
    #[field(create, update, sort, default = Metainfo::default())]
    pub metainfo: Metainfo,
    #[field(create, update, filter, sort, default = true)]
    pub enabled: bool,
}

impl ServiceProfile {
    /// It says something, and its driver is there.
    fn check(&self) -> Result<(), Refusal> {
        if self.driver.0.is_empty() && self.metainfo == Metainfo::default() {
            return Err(Refusal::ServiceProfileEmpty {});
        }
        let driver = &self.driver.0;
        if driver.is_empty() || service_provider::of_driver(driver).is_some() {
            return Ok(());
        }
        Err(Refusal::ServiceProfileDriverNotFound { driver: driver.clone() })
    }

    /// A flavor that is offered to projects keeps its profiles as they are.
    fn check_unused(&self, facts: &Facts) -> Result<(), Stop> {
        let id = self.id.to_string();
        if facts.list::<Flavor>(Select::eq("service_profiles", id.as_str()))?.is_empty() {
            return Ok(());
        }
        Err(Refusal::ServiceProfileInUse { sp_id: id }.into())
    }
}

impl Rules for ServiceProfile {
    fn create(
        input: &ServiceProfileCreate,
        _parent: Option<&str>,
        _facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let profile = Self {
            id: ServiceProfileId(context.uuid("service profile")),
            description: input.description.clone(),
            driver: input.driver.clone(),
            metainfo: input.metainfo.clone(),
            enabled: input.enabled,
        };
        profile.check()?;
        let mut writes = Writes::new();
        writes.insert(&profile);
        Ok((profile, writes))
    }

    fn update(
        current: &Self,
        update: &ServiceProfileUpdate,
        facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut profile = current.clone();
        update.apply_to(&mut profile);
        let mut writes = Writes::new();
        if profile != *current {
            profile.check()?;
            current.check_unused(facts)?;
            writes.update(&profile);
        }
        Ok((profile, writes))
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        current.check_unused(facts)?;
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        Ok(writes)
    }
}

/// Any JSON; the empty text is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Metainfo(pub Value);

impl Default for Metainfo {
    fn default() -> Self {
        Self(Value::from(""))
    }
}

impl AttributeValue for Metainfo {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        const MOST: usize = 4096;
        let text = value.to_string();
        if text.len() > MOST {
            return Err(format!("it is longer than {MOST} bytes"));
        }
        // PostgreSQL cannot hold it.
        if text.contains("\\u0000") {
            return Err("a NUL character is not allowed".to_owned());
        }
        Ok(Self(if value.is_null() { Value::from("") } else { value.clone() }))
    }

    fn to_json(&self) -> Value {
        self.0.clone()
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.0.to_string())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Text(text) => {
                serde_json::from_str(text).map(Self).map_err(|error| error.to_string())
            }
            other => Err(format!("unexpected stored value {other:?}")),
        }
    }
}
