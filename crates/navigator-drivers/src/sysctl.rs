//! `/proc/sys`, as the calling thread's namespace has it. Keys are paths below it, with slashes.

use std::{
    fs,
    io::{self, Write},
    path::{Component, Path, PathBuf},
};

/// Keys come from a renderer, but a device's name is part of some: none may lead elsewhere.
fn path(key: &str) -> io::Result<PathBuf> {
    let relative = Path::new(key);
    if key.is_empty() || !relative.components().all(|c| matches!(c, Component::Normal(_))) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path below /proc/sys"));
    }
    Ok(Path::new("/proc/sys").join(relative))
}

/// Values of several numbers are separated by one space, whatever the kernel prints.
pub(crate) fn read(key: &str) -> io::Result<String> {
    let text = fs::read_to_string(path(key)?)?;
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

pub(crate) fn write(key: &str, value: &str) -> io::Result<()> {
    // In one write: each is a value of its own. Never creates, so a misspelt key is an error.
    fs::OpenOptions::new().write(true).open(path(key)?)?.write_all(value.as_bytes())
}
