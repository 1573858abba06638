//! What operators already have in neutron.conf and ml2_conf.ini, as Navigator's own configuration: an
//! option that means something here becomes its key, and every other one is named, so that nobody
//! believes that it has an effect.

mod ini;
mod options;
mod values;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use toml::{Table, Value};

use ini::Entry;
use options::{Known, Meaning, OPTIONS};

/// Navigator's configuration as far as the files say it, and what the operator should know.
#[derive(Debug, Default)]
pub(crate) struct Translated {
    pub(crate) table: Table,
    pub(crate) notes: Vec<String>,
}

/// References within references.
const DEEPEST: usize = 8;

/// Bytes of a value with its references replaced, which can be many times what the files say.
const LONGEST: usize = 64 << 10;

/// The last value of each option, of all files.
#[derive(Default)]
struct Options(HashMap<(String, String), String>);

impl Options {
    fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.0.get(&(section.to_owned(), key.to_owned())).map(String::as_str)
    }

    /// With `$name`, `${name}` and `$section.name` replaced as oslo.config does; `$$` is a dollar.
    fn expanded(&self, section: &str, value: &str) -> Result<String, String> {
        self.expanded_at(section, value, 0)
    }

    fn expanded_at(&self, section: &str, value: &str, depth: usize) -> Result<String, String> {
        if depth > DEEPEST {
            return Err("its references go in circles".to_owned());
        }
        let mut text = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                text.push('$');
                rest = after;
                continue;
            }
            let (name, after) = reference(after).ok_or("a lone $: write $$ for a dollar")?;
            let (other, key) = name.split_once('.').unwrap_or((section, name));
            let found = self.get(other, key).or_else(|| self.get("DEFAULT", name));
            let found = found.ok_or_else(|| format!("${name} is not set in the files"))?;
            text.push_str(&self.expanded_at(other, found, depth + 1)?);
            if text.len() > LONGEST {
                return Err("its references make it too long".to_owned());
            }
            rest = after;
        }
        Ok(text + rest)
    }
}

/// The name after a `$`, and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    if let Some(text) = text.strip_prefix('{') {
        return text.split_once('}').filter(|(name, _)| !name.is_empty());
    }
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Later files win over earlier ones.
pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Translated> {
    let mut texts = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        texts.push((path.as_path(), text));
    }
    translate(&texts)
}

fn translate(files: &[(&Path, String)]) -> anyhow::Result<Translated> {
    let mut entries: Vec<(&Path, Entry)> = Vec::new();
    for (path, text) in files {
        let parsed = ini::parse(text).with_context(|| path.display().to_string())?;
        entries.extend(parsed.into_iter().map(|entry| (*path, entry)));
    }
    let named = entries.iter().map(|(_, entry)| {
        ((entry.section.clone(), entry.key.replace('-', "_")), entry.value.clone())
    });
    let options = Options(named.collect());
    let mut translated = Translated::default();
    for (path, entry) in &entries {
        let result = one(&options, entry, &mut translated);
        result.map_err(|reason| {
            let Entry { section, key, line, .. } = entry;
            anyhow!("{}:{line}: [{section}] {key}: {reason}", path.display())
        })?;
    }
    values::address(&options, &mut translated.table).map_err(|reason| anyhow!(reason))?;
    Ok(translated)
}

fn one(options: &Options, entry: &Entry, translated: &mut Translated) -> Result<(), String> {
    let key = entry.key.replace('-', "_");
    let name = format!("[{}] {key}", entry.section);
    let known = |known: &&Known| known.section == entry.section && known.key == key;
    let meanings: Vec<_> = OPTIONS.iter().filter(known).map(|known| &known.meaning).collect();
    let mut note = |text: String| {
        let note = format!("{name}: {text}");
        if !translated.notes.contains(&note) {
            translated.notes.push(note);
        }
    };
    if let Some(quota) = quota(&entry.section, &key) {
        let value = options.expanded(&entry.section, &entry.value)?;
        set(&mut translated.table, &quota, values::limit(&value)?);
        return Ok(());
    }
    if meanings.is_empty() {
        note("ignored: Navigator has no such option".to_owned());
    }
    for meaning in meanings {
        match meaning {
            Meaning::Ignored(reason) => note(format!("ignored: {reason}")),
            Meaning::Always(value) => {
                if !entry.value.eq_ignore_ascii_case(value) {
                    note(format!("ignored: in Navigator it is always {value}"));
                }
            }
            Meaning::Address => {}
            Meaning::Becomes(key, convert) => {
                let value = options.expanded(&entry.section, &entry.value)?;
                let converted = convert(&value)?;
                if let Some(text) = converted.note {
                    note(text);
                }
                if let Some(value) = converted.value {
                    set(&mut translated.table, key, value);
                }
            }
        }
    }
    Ok(())
}

/// `[quotas] quota_port` is `quotas.port`, for what has a quota here.
fn quota(section: &str, key: &str) -> Option<String> {
    if section != "quotas" {
        return None;
    }
    if key == "default_quota" {
        return Some("quotas.default_quota".to_owned());
    }
    let name = key.strip_prefix("quota_")?;
    let known = navigator_resources::quota::names().any(|quota| quota == name);
    known.then(|| format!("quotas.{name}"))
}

/// Sets `a.b.c`, making the tables on the way. Lists of names grow: physical networks come from
/// several options.
fn set(table: &mut Table, key: &str, value: Value) {
    let Some((first, rest)) = key.split_once('.') else {
        match (table.get_mut(key), value) {
            (Some(Value::Array(old)), Value::Array(new)) if new.iter().all(Value::is_str) => {
                for name in new {
                    if !old.contains(&name) {
                        old.push(name);
                    }
                }
            }
            (_, value) => _ = table.insert(key.to_owned(), value),
        }
        return;
    };
    let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = inner {
        set(inner, rest, value);
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
