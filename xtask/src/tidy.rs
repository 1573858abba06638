//! Checks the tree's text against the project's rules; one finding per breach, with file and line.
//! Reads files only; never builds and never changes anything.

mod dependencies;
mod source;
#[cfg(test)]
mod tests;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// A breach: where, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub file: PathBuf,
    pub line: usize,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// A text file, its path relative to the root.
pub(crate) struct Text {
    pub path: PathBuf,
    pub content: String,
}

impl Text {
    fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { file: self.path.clone(), line, message: message.into() }
    }

    fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The crate's folder name: `navigator-store`, `navigator`, `xtask`.
    fn crate_name(&self) -> &str {
        let mut parts = self.path.iter().filter_map(|part| part.to_str());
        match parts.next() {
            Some("crates") => parts.next().unwrap_or_default(),
            Some(first) => first,
            None => "",
        }
    }
}

/// The workspace's root, found from this crate's own place.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// Every finding in the tree below `root`.
pub(crate) fn check(root: &Path) -> Vec<Finding> {
    let mut texts = Vec::new();
    collect(root, root, &mut texts);
    texts.sort_by(|a, b| a.path.cmp(&b.path));
    texts.iter().flat_map(check_text).collect()
}

fn check_text(text: &Text) -> Vec<Finding> {
    match text.path.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => source::check(text),
        Some("toml") if text.name() == "Cargo.toml" => dependencies::check(text),
        _ => Vec::new(),
    }
}

/// Reads the sources; leaves out what is built or hidden.
fn collect(root: &Path, dir: &Path, texts: &mut Vec<Text>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(root, &path, texts);
            }
        } else if (name.ends_with(".rs") || name == "Cargo.toml")
            && let (Ok(content), Ok(relative)) =
                (fs::read_to_string(&path), path.strip_prefix(root))
        {
            texts.push(Text { path: relative.to_owned(), content });
        }
    }
}
