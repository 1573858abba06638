//! Files of a scope's state directory: whole or not at all.
//!
//! A file is written to a temporary name in the same directory, synced, and renamed, so that a child
//! never reads half a file and a power cut leaves the old one or the new one.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::DriverError;

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> DriverError {
    let path = path.to_owned();
    move |source| DriverError::File { path, doing, source }
}

pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), DriverError> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file");
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(path, "writing")(invalid()));
    };
    fs::create_dir_all(directory).map_err(failed(directory, "making the directory"))?;
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(".new");
    let temporary = directory.join(temporary_name);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(failed(&temporary, "writing"))?;
    fs::rename(&temporary, path).map_err(failed(path, "renaming"))?;
    // The rename itself lasts only once the directory is on disk.
    let synced = File::open(directory).and_then(|d| d.sync_all());
    synced.map_err(failed(directory, "syncing the directory"))
}

/// A file that is not there is deleted.
pub(crate) fn delete(path: &Path) -> Result<(), DriverError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(path, "deleting")(e)),
        _ => Ok(()),
    }
}

/// Whether nothing but what children leave behind is below `directory`.
pub(crate) fn is_abandoned(directory: &Path) -> bool {
    let nothing_written = list(directory).is_ok_and(|files| files.is_empty());
    nothing_written && pid_files(directory).is_ok_and(|files| files.is_empty())
}

/// Removes an abandoned directory, with the leases that a child left in it.
pub(crate) fn remove_if_abandoned(directory: &Path) {
    if is_abandoned(directory) {
        // A directory left behind harms nobody.
        let _ = fs::remove_dir_all(directory);
    }
}

/// Every file below `directory` that was written by [`write`], not by a child.
pub(crate) fn list(directory: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, DriverError> {
    let mut files = BTreeMap::new();
    for path in walk(directory)? {
        if !is_childs_own(&path) {
            let content = fs::read(&path).map_err(failed(&path, "reading"))?;
            files.insert(path, content);
        }
    }
    Ok(files)
}

/// Pid files below `directory`.
pub(crate) fn pid_files(directory: &Path) -> Result<Vec<PathBuf>, DriverError> {
    let mut found = walk(directory)?;
    found.retain(|path| {
        path.extension().is_some_and(|e| e == "pid") || path.file_name().is_some_and(|n| n == "pid")
    });
    Ok(found)
}

/// What children keep in the directory beside their configuration: pid files and their stamps,
/// leases, sockets. Their content is nobody's to compare.
fn is_childs_own(path: &Path) -> bool {
    let is = |text: Option<&std::ffi::OsStr>| {
        text.is_some_and(|t| ["pid", "loaded", "leases", "sock"].iter().any(|own| t == *own))
    };
    is(path.extension()) || is(path.file_name())
}

fn walk(directory: &Path) -> Result<Vec<PathBuf>, DriverError> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(failed(&directory, "listing")(e)),
        };
        for entry in entries.flatten() {
            // Symbolic links are neither: nothing outside the directory is ever read.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => directories.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    Ok(files)
}
