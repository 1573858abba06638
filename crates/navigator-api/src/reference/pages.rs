//! The reference in Markdown: one page for each resource, and an index.

use std::{collections::BTreeMap, fmt::Write as _};

use navigator_resources::{Attribute, Declaration, OnCreate};
use serde_json::Value;

use super::{Described, fixed::FIXED, resources, spaced};

/// File name below `docs/api` → its text.
pub fn pages() -> BTreeMap<String, String> {
    let resources = resources();
    let mut pages: BTreeMap<String, String> =
        resources.iter().map(|described| (file(described.declaration), page(described))).collect();
    pages.insert("README.md".to_owned(), index(&resources));
    pages
}

fn file(declaration: &Declaration) -> String {
    format!("{}.md", declaration.table)
}

fn index(resources: &[Described]) -> String {
    let mut text = "# API reference\n\n\
        Made from the declarations in `crates/navigator-resources`; `GET /openapi.json` is the same \
        for programs. Conventions (filters, `fields`, `sort_key`, `limit` and `marker`, bulk \
        creation, `If-Match`, errors) are Neutron's.\n\n\
        | Resource | URL | What it is |\n|---|---|---|\n"
        .to_owned();
    for Described { declaration, .. } in resources {
        let (title, file) = (spaced(declaration.collection), file(declaration));
        let (url, docs) = (declaration.url("{parent}"), declaration.docs);
        line(&mut text, format_args!("| [{title}]({file}) | `{url}` | {docs} |"));
    }
    text.push_str("\n## Other routes\n\n| Route | |\n|---|---|\n");
    for route in FIXED {
        let method = route.method.to_uppercase();
        line(&mut text, format_args!("| `{method} {}` | {} |", route.path, route.summary));
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

fn page(described: &Described) -> String {
    let declaration = described.declaration;
    let mut text = format!("# {}\n\n", spaced(declaration.collection));
    if !declaration.docs.is_empty() {
        line(&mut text, format_args!("{}\n", declaration.docs));
    }
    let url = declaration.url("{parent}");
    let member = format!("{url}/{{id}}");
    line(
        &mut text,
        format_args!("Body key `{}`, in lists `{}`.\n", declaration.name, declaration.collection),
    );
    text.push_str("| Request | Answer |\n|---|---|\n");
    line(&mut text, format_args!("| `GET {url}` | 200, all that the caller may see |"));
    line(&mut text, format_args!("| `GET {member}` | 200 |"));
    if declaration.verbs.create {
        line(&mut text, format_args!("| `POST {url}` | 201, one or many |"));
    }
    if declaration.verbs.update {
        line(&mut text, format_args!("| `PUT {member}` | 200 |"));
    }
    if declaration.verbs.delete {
        line(&mut text, format_args!("| `DELETE {member}` | 204 |"));
    }
    if declaration.tags {
        line(
            &mut text,
            format_args!("| `GET`, `PUT`, `POST`, `DELETE {member}/tags` | all tags |"),
        );
        line(&mut text, format_args!("| `GET`, `PUT`, `DELETE {member}/tags/{{tag}}` | one tag |"));
    }
    for action in &described.actions {
        line(&mut text, format_args!("| `PUT {member}/{action}` | 200 |"));
    }
    text.push_str(
        "\n| Attribute | Type | POST | PUT | Filter | Sort | |\n|---|---|---|---|---|---|---|\n",
    );
    let said = |a: &&Attribute| {
        a.visible || a.update || a.filter || !matches!(a.on_create, OnCreate::Refused)
    };
    for attribute in declaration.all().filter(|a| !a.internal).filter(said) {
        attribute_line(&mut text, attribute);
    }
    add_shown(&mut text, described);
    text
}

/// What answers show beside the attributes.
fn add_shown(text: &mut String, described: &Described) {
    for momentary in described.momentary {
        let kind = type_name(&(momentary.schema)());
        let filter = if momentary.filter.is_some() { "yes" } else { "" };
        let (name, docs) = (momentary.name, momentary.docs);
        line(text, format_args!("| `{name}` | {kind} |  |  | {filter} |  | {docs} |"));
    }
    for embedded in described.embedded {
        let (name, of) = (embedded.name, spaced((embedded.declaration)().collection));
        line(text, format_args!("| `{name}` | array |  |  |  |  | All its {of}. |"));
    }
    let known = |name: &str| described.declaration.attribute(name).is_some();
    for (name, schema) in described.reshaped.iter().filter(|(name, _)| !known(name)) {
        let kind = type_name(&schema());
        line(text, format_args!("| `{name}` | {kind} |  |  |  |  | Computed. |"));
    }
}

fn attribute_line(text: &mut String, attribute: &Attribute) {
    let create = match attribute.on_create {
        OnCreate::Refused => String::new(),
        // Whoever asks is the project.
        OnCreate::Required if attribute.name == "project_id" => "yes".to_owned(),
        OnCreate::Required => "required".to_owned(),
        OnCreate::Default(default) => format!("`{}`", default()),
        OnCreate::Unset => "optional".to_owned(),
    };
    let yes = |yes: bool| if yes { "yes" } else { "" };
    let hidden = if attribute.visible { "" } else { "Never shown. " };
    line(
        text,
        format_args!(
            "| `{}` | {} | {create} | {} | {} | {} | {hidden}{} |",
            attribute.name,
            type_name(&(attribute.schema)()),
            yes(attribute.update),
            yes(attribute.filter),
            yes(attribute.sort),
            attribute.docs,
        ),
    );
}

/// A schema in a few words.
fn type_name(schema: &Value) -> String {
    if let Some(alternatives) = schema["anyOf"].as_array() {
        return alternatives.iter().map(type_name).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> =
            words.iter().map(|word| format!("`{}`", word.as_str().unwrap_or("null"))).collect();
        return words.join(", ");
    }
    let base = schema["type"].as_str().unwrap_or("JSON");
    match (schema["description"].as_str(), schema["maxLength"].as_u64()) {
        (Some(what), _) => what.to_owned(),
        (None, Some(longest)) => format!("{base} of at most {longest}"),
        (None, None) => base.to_owned(),
    }
}
