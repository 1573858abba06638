//! The stock `openstack` client, run in the lab's node. One process takes many commands on its
//! standard input: starting it costs a second or two each time.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::{
    LabError,
    lab::{API, Lab, NODE_HOST},
};

/// Names the client's program; `make demo` sets it to that of its private environment.
const PROGRAM: &str = "NAVIGATOR_OPENSTACK";

/// Runs the commands one after another, showing them and their answers. The client goes on after a
/// command that failed, so the caller looks at what the API says afterwards.
pub(super) fn run(lab: &Lab, commands: &[&str]) -> Result<(), LabError> {
    let program = std::env::var(PROGRAM).unwrap_or_else(|_| "openstack".to_owned());
    let mut command: Command = lab.host(NODE_HOST)?.command(&program);
    for line in commands {
        println!("   $ openstack {line}");
    }
    let mut child = command
        .env("OS_AUTH_TYPE", "none")
        .env("OS_ENDPOINT", format!("http://{API}"))
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|source| LabError::Spawn { program: program.clone(), source })?;
    if let Some(mut input) = child.stdin.take() {
        let text = commands.join("\n") + "\n";
        input.write_all(text.as_bytes()).map_err(LabError::io("tell the openstack client"))?;
    }
    let status = child.wait().map_err(LabError::io("wait for the openstack client"))?;
    // Fed by a pipe it ends with 1 also when every command succeeded; only 126 and 127 say more:
    // it could not be run.
    let ran = status.code().is_some_and(|code| code < 126);
    super::check(ran, || format!("cannot run '{program}' ({status}): set {PROGRAM}"))
}
