//! Reads a list's query: filters, sort, page, fields. Everything that is wrong with it is a 400.

use std::collections::BTreeSet;

use navigator_resources::{AttributeValue as _, Cutoff, Declaration, Refusal, SqlValue};
use navigator_store::{Bound, Direction, Listing, Paging, TagFilter};
use percent_encoding::percent_decode_str;

use crate::{fault::Fault, policy::Access, present::Fields};

/// More parameters than any client sends; a bound on the work that one request can ask for.
const MOST_PARAMETERS: usize = 1000;

/// `name=value` pairs in order, decoded.
pub(crate) struct Parameters(Vec<(String, String)>);

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

impl Parameters {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Fault> {
        let pairs: Vec<_> = query
            .unwrap_or_default()
            .split('&')
            .filter(|part| !part.is_empty())
            .take(MOST_PARAMETERS + 1)
            .map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                (decoded(name), decoded(value))
            })
            .collect();
        if pairs.len() > MOST_PARAMETERS {
            return Err(Fault::bad_request("Too many query parameters"));
        }
        Ok(Self(pairs))
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Takes a parameter out that is not the listing's to understand.
    pub(crate) fn take(&mut self, name: &str) -> Vec<String> {
        let taken = self.all(name).map(str::to_owned).collect();
        self.0.retain(|(known, _)| known != name);
        taken
    }

    /// The filters of a list that is no resource's, which has these attributes.
    pub(crate) fn filters(
        &self,
        attributes: &[&'static str],
    ) -> Result<Vec<(&'static str, Vec<&str>)>, Fault> {
        let mut filters: Vec<(&'static str, Vec<&str>)> = Vec::new();
        for (name, value) in self.0.iter().filter(|(name, _)| !CONTROL.contains(&name.as_str())) {
            let Some(known) = attributes.iter().find(|known| *known == name) else {
                let reason = format!("['{name}'] is invalid attribute for filtering");
                return Err(Fault::bad_request(reason));
            };
            match filters.iter_mut().find(|(filter, _)| filter == known) {
                Some((_, values)) => values.push(value),
                None => filters.push((*known, vec![value])),
            }
        }
        Ok(filters)
    }

    pub(crate) fn fields(&self) -> Fields {
        let fields: BTreeSet<_> =
            self.all("fields").filter(|f| !f.is_empty()).map(str::to_owned).collect();
        (!fields.is_empty()).then_some(fields)
    }
}

/// The page that a request asks for.
struct Page {
    limit: Option<u32>,
    marker: Option<String>,
    paging: Paging,
}

const CONTROL: &[&str] = &["fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"];

fn page(parameters: &Parameters) -> Result<Page, Fault> {
    let limit = match parameters.all("limit").last() {
        None => None,
        Some(text) => match text.parse::<i64>() {
            Ok(0) => None,
            // One more is asked of the database, to know whether there is more.
            Ok(number) if number > 0 => {
                Some(u32::try_from(number).unwrap_or(u32::MAX).min(u32::MAX - 1))
            }
            _ => {
                return Err(Fault::bad_request(format!(
                    "Limit must be an integer 0 or greater and not '{text}'"
                )));
            }
        },
    };
    let paging = match parameters.all("page_reverse").last() {
        Some(text) if text.eq_ignore_ascii_case("true") || text == "1" => Paging::Before,
        _ => Paging::After,
    };
    let marker = parameters.all("marker").last().filter(|m| !m.is_empty()).map(str::to_owned);
    Ok(Page { limit, marker, paging })
}

/// What a momentary attribute's filter means now.
pub(crate) type Momentary<'a> = dyn Fn(&str) -> Option<Cutoff> + Sync + 'a;

/// The listing that parameters ask for, restricted to what the caller may see.
pub(crate) fn listing(
    declaration: &'static Declaration,
    parameters: &Parameters,
    access: &Access<'_>,
    momentary: &Momentary<'_>,
) -> Result<Listing, Fault> {
    let mut listing = Listing {
        visible_to: access.visible_to(),
        viewer: access.caller.project_id.clone(),
        ..Listing::default()
    };
    listing.sort = sort(declaration, parameters, access)?;
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in &parameters.0 {
        if !CONTROL.contains(&name.as_str()) && !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    both_project_names(parameters)?;
    for name in names {
        let values: Vec<&str> = parameters.all(name).collect();
        match momentary(name) {
            Some(cutoff) => filter_momentary(&cutoff, &values, &mut listing),
            None => filter(declaration, name, &values, access, &mut listing)?,
        }
    }
    let page = page(parameters)?;
    listing.limit = page.limit;
    listing.marker = page.marker;
    listing.paging = page.paging;
    Ok(listing)
}

fn both_project_names(parameters: &Parameters) -> Result<(), Fault> {
    let tenant: Vec<_> = parameters.all("tenant_id").collect();
    let project: Vec<_> = parameters.all("project_id").collect();
    if !tenant.is_empty() && !project.is_empty() && tenant != project {
        return Err(Refusal::TenantIdProjectIdFilterConflict {}.into());
    }
    Ok(())
}

fn sort(
    declaration: &'static Declaration,
    parameters: &Parameters,
    access: &Access<'_>,
) -> Result<Vec<(&'static navigator_resources::Attribute, Direction)>, Fault> {
    let keys: Vec<_> = parameters.all("sort_key").collect();
    let directions: Vec<_> = parameters.all("sort_dir").collect();
    if keys.len() != directions.len() && !directions.is_empty() {
        return Err(Fault::bad_request("The number of sort_keys and sort_dirs must be same"));
    }
    keys.iter()
        .enumerate()
        .map(|(index, key)| {
            let attribute =
                declaration.attribute(key).filter(|a| a.sort && access.may_ask_for(a)).ok_or_else(
                    || Fault::bad_request(format!("['{key}'] is invalid attribute for sort_key")),
                )?;
            let direction = match directions.get(index).copied() {
                None | Some("asc") => Direction::Ascending,
                Some("desc") => Direction::Descending,
                Some(_) => {
                    return Err(Fault::bad_request("sort_dir must be one of ['asc', 'desc']"));
                }
            };
            Ok((attribute, direction))
        })
        .collect()
}

fn filter(
    declaration: &'static Declaration,
    name: &str,
    values: &[&str],
    access: &Access<'_>,
    listing: &mut Listing,
) -> Result<(), Fault> {
    if name == "changed_since" && declaration.attribute("updated_at").is_some() {
        let since = values.last().copied().unwrap_or_default();
        listing.changed_since = Some(timestamp(since)?);
        return Ok(());
    }
    if name == "fixed_ips" && declaration.name == "port" {
        return values.iter().try_for_each(|value| fixed_ip(value, listing));
    }
    if declaration.tags
        && let Some(tags) = tag_filter(name, &mut listing.tags)
    {
        let words = values.iter().flat_map(|value| value.split(','));
        tags.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        return Ok(());
    }
    let attribute =
        declaration.attribute(name).filter(|a| a.filter && access.may_ask_for(a)).ok_or_else(
            || Fault::bad_request(format!("['{name}'] is invalid attribute for filtering")),
        )?;
    let stored: Vec<Option<SqlValue>> =
        values.iter().map(|value| (attribute.filter_value)(value)).collect();
    listing.filters.push((attribute, stored));
    Ok(())
}

fn tag_filter<'a>(name: &str, filter: &'a mut TagFilter) -> Option<&'a mut BTreeSet<String>> {
    match name {
        "tags" => Some(&mut filter.all),
        "tags-any" => Some(&mut filter.any),
        "not-tags" => Some(&mut filter.not_all),
        "not-tags-any" => Some(&mut filter.not_any),
        _ => None,
    }
}

/// It holds on one side of the cutoff and does not on the other.
fn filter_momentary(cutoff: &Cutoff, values: &[&str], listing: &mut Listing) {
    let wanted: Vec<_> = values.iter().filter_map(|value| bool::from_filter(value)).collect();
    let mut beyond = |bound| listing.bounds.push((cutoff.column, bound));
    if !wanted.contains(&SqlValue::Bool(true)) {
        beyond(Bound::Below(cutoff.at_least.clone()));
    }
    if !wanted.contains(&SqlValue::Bool(false)) {
        beyond(Bound::AtLeast(cutoff.at_least.clone()));
    }
}

/// `ip_address=10.0.0.3`, `subnet_id=…` or `ip_address_substr=10.0`.
fn fixed_ip(value: &str, listing: &mut Listing) -> Result<(), Fault> {
    let (key, wanted) = value.split_once('=').unwrap_or(("", value));
    let wanted = wanted.to_owned();
    let alternatives = match key {
        "ip_address" => &mut listing.fixed_ips.ip_address,
        "subnet_id" => &mut listing.fixed_ips.subnet_id,
        "ip_address_substr" => &mut listing.fixed_ips.ip_address_substr,
        _ => {
            return Err(Fault::bad_request(format!("Invalid filter for fixed_ips: '{value}'")));
        }
    };
    alternatives.push(wanted);
    Ok(())
}

/// Neutron's own form of time, with or without `Z`.
fn timestamp(text: &str) -> Result<String, Fault> {
    let with_zone = if text.ends_with('Z') { text.to_owned() } else { format!("{text}Z") };
    with_zone
        .parse::<jiff::Timestamp>()
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .map_err(|_| {
            Fault::Refused(Refusal::InvalidInput {
                error_message: "The input changed_since must be in the following format: \
                                YYYY-MM-DDTHH:MM:SS[Z]"
                    .to_owned(),
            })
        })
}

/// The same request with another marker and direction.
pub(crate) fn link(
    base: &str,
    path: &str,
    query: Option<&str>,
    marker: Option<&str>,
    paging: Paging,
) -> String {
    let mut kept: Vec<String> = query
        .unwrap_or_default()
        .split('&')
        .filter(|part| {
            let name = part.split('=').next().unwrap_or_default();
            !part.is_empty() && name != "marker" && name != "page_reverse"
        })
        .map(str::to_owned)
        .collect();
    kept.extend(marker.map(|marker| format!("marker={marker}")));
    if paging == Paging::Before {
        kept.push("page_reverse=True".to_owned());
    }
    format!("{base}{path}?{}", kept.join("&"))
}
