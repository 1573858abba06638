//! Files and the children that read them: files are written before a child that needs them starts
//! or reads them again, and go after the child that had them open has stopped.

use crate::{
    process::{Process, ProcessState},
    step::Action,
};

use super::draft::Draft;

impl Draft<'_> {
    pub(super) fn write_files(&mut self) {
        let (desired, actual) = (self.desired, self.actual);
        for (path, content) in &desired.files {
            if actual.files.get(path) != Some(content) {
                let (path, content) = (path.clone(), content.clone());
                self.push(None, Action::WriteFile { path, content });
            }
        }
    }

    pub(super) fn delete_files(&mut self) {
        let (desired, actual) = (self.desired, self.actual);
        for path in actual.files.keys().filter(|path| !desired.files.contains_key(*path)) {
            self.push(None, Action::DeleteFile { path: path.clone() });
        }
    }

    pub(super) fn adjust_processes(&mut self) {
        let (desired, actual) = (self.desired, self.actual);
        for (name, found) in &actual.processes {
            if !desired.processes.contains_key(name) {
                self.stop(name, found);
            }
        }
        for (name, process) in &desired.processes {
            self.adjust_process(name, process, actual.processes.get(name));
        }
    }

    fn stop(&mut self, name: &str, found: &ProcessState) {
        let (name, pid_file) = (name.to_owned(), found.pid_file.clone());
        self.push(None, Action::StopProcess { name, pid_file });
    }

    fn adjust_process(&mut self, name: &str, process: &Process, found: Option<&ProcessState>) {
        let running = found.filter(|found| found.argv.is_some());
        // A child in a namespace that was made anew still lives in the old one.
        let stranded = self.created.contains(&process.namespace);
        let right = running
            .filter(|found| found.argv.as_ref() == Some(&process.argv) && !stranded)
            .filter(|found| found.pid_file == process.pid_file);
        let (name, process) = (name.to_owned(), process.clone());
        match (right, running) {
            (Some(right), _) if right.loaded.as_ref() == Some(&process.loaded) => {}
            (Some(_), _) => self.push(None, Action::ReloadProcess { name, process }),
            (None, Some(wrong)) => {
                self.stop(&name, wrong);
                self.push(None, Action::StartProcess { name, process });
            }
            (None, None) => self.push(None, Action::StartProcess { name, process }),
        }
    }
}
