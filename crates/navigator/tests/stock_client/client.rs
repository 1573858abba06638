//! The stock client, as one process that takes many commands (`drive.py`) or as the installed
//! program. Both run inside a host and know nothing but the endpoint and who asks.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use navigator_testkit::{Host, stock};
use serde::Deserialize;

/// No command takes this long, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(60);

/// Who talks to which server, as the client's environment.
#[derive(Clone, Debug)]
pub(crate) struct Identity(pub(crate) Vec<(&'static str, String)>);

impl Identity {
    /// The server's endpoint is known; it asks nobody, or for HTTP basic authentication, where every
    /// password is the user's name.
    pub(crate) fn at(endpoint: String, user: Option<&str>) -> Self {
        let mut environment = vec![("OS_ENDPOINT", endpoint)];
        match user {
            None => environment.push(("OS_AUTH_TYPE", "none".to_owned())),
            Some(user) => environment.extend([
                ("OS_AUTH_TYPE", "http_basic".to_owned()),
                ("OS_USERNAME", user.to_owned()),
                ("OS_PASSWORD", user.to_owned()),
            ]),
        }
        Self(environment)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, value.to_owned()));
        self
    }
}

/// What a command ended with.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A client process that waits for commands. It ends when its input does.
pub(crate) struct Client {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
}

/// A program inside `host` that knows the server by the client's environment variables, and nothing
/// of who runs the test.
pub(crate) fn command(host: &Host, program: &Path, identity: &Identity) -> Command {
    let mut command = host.command(program);
    stock::unaware(&mut command).current_dir(host.dir()).env("HOME", host.dir());
    command.envs(identity.0.iter().map(|(name, value)| (name, value)));
    command
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stock_client").join(name)
}

impl Client {
    pub(crate) fn start(host: &Host, identity: &Identity) -> Self {
        let mut child = command(host, &stock::python(), identity)
            .arg(script("drive.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = mpsc::channel();
        // Ends with the client's output.
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { input: child.stdin.take(), child, answers }
    }

    pub(crate) fn run(&mut self, argv: &[String]) -> Answer {
        let line = serde_json::to_string(argv).unwrap() + "\n";
        self.input.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        let answer = self.answers.recv_timeout(LIMIT);
        let answer = answer.unwrap_or_else(|error| panic!("openstack {}: {error}", argv.join(" ")));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
