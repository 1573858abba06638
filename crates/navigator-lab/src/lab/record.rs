//! The file that says which processes are the lab's hosts. A pid alone may have become somebody
//! else's, so each is kept with the time at which its process started.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::LabError;

const FILE: &str = "lab.json";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub hosts: Vec<RecordedHost>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedHost {
    pub name: String,
    pub pid: u32,
    /// Field 22 of `/proc/<pid>/stat`: clock ticks since boot.
    pub start_time: String,
}

impl RecordedHost {
    pub fn of(name: &str, pid: u32) -> Result<Self, LabError> {
        let start_time = start_time(pid).ok_or_else(|| LabError::Malformed {
            request: format!("/proc/{pid}/stat"),
            reason: "no start time".to_owned(),
        })?;
        Ok(Self { name: name.to_owned(), pid, start_time })
    }

    /// Whether the process is the one recorded and still holds its namespaces: one that is only
    /// waiting to be reaped does not.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid).is_some_and(|time| time == self.start_time)
            && fs::read_link(format!("/proc/{}/ns/net", self.pid)).is_ok()
    }
}

impl Record {
    pub fn read(dir: &Path) -> Result<Self, LabError> {
        let path = dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LabError::NoLab { path: dir.to_owned() });
            }
            Err(error) => return Err(LabError::io(format!("read {}", path.display()))(error)),
        };
        serde_json::from_str(&text).map_err(|error| LabError::Malformed {
            request: path.display().to_string(),
            reason: error.to_string(),
        })
    }

    /// Written beside and renamed, so that a reader never sees half of it.
    pub fn write(&self, dir: &Path) -> Result<(), LabError> {
        let (path, fresh) = (dir.join(FILE), dir.join("lab.json.new"));
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| LabError::Mismatch(error.to_string()))?;
        fs::write(&fresh, text)
            .and_then(|()| fs::rename(&fresh, &path))
            .map_err(LabError::io(format!("write {}", path.display())))
    }
}

fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command in parentheses may hold anything, also spaces and parentheses.
    let after_command = stat.rsplit_once(')')?.1;
    after_command.split_whitespace().nth(19).map(str::to_owned)
}
