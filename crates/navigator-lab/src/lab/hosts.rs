//! Makes the lab's hosts and starts what runs in them.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use navigator_model::{MacAddress, PortId};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};

use super::{
    API, CLIENT, CLIENT_HOST, Lab, NODE_HOST, OUTSIDE, OUTSIDE_HOST, Record, RecordedHost,
    configuration,
};
use crate::{Bridge, Host, Instance, LabError, Lifetime, Namespaces, http};

const SWITCH: &str = "switch";
const DHCP_LIMIT_S: u32 = 15;
const START_LIMIT: Duration = Duration::from_secs(20);
const START_SLICE: Duration = Duration::from_millis(300);

/// The mode in which the lab runs the binary; also how its process is found again.
const MODE: &str = "all-in-one";

impl Lab {
    /// The outside world and an idle node, without Navigator.
    pub fn make(dir: &Path, lifetime: Lifetime) -> Result<Self, LabError> {
        if !geteuid().is_root() {
            return Err(LabError::NotRoot);
        }
        if Record::read(dir).is_ok() {
            return Err(LabError::LabExists { path: dir.to_owned() });
        }
        fs::create_dir_all(dir).map_err(LabError::io(format!("make {}", dir.display())))?;
        let dir = dir.canonicalize().map_err(LabError::io("canonical path"))?;
        let mut lab = Self { dir, record: Record::default(), lifetime, made: Vec::new() };
        lab.record.write(&lab.dir)?;
        let made = lab.make_outside();
        lab.or_remove(made)
    }

    /// Passes a success on; after a failure removes what there is and passes the failure on.
    fn or_remove(self, outcome: Result<(), LabError>) -> Result<Self, LabError> {
        match outcome {
            Ok(()) => Ok(self),
            Err(error) => {
                // The first error says more than one of the removal.
                let _ = self.remove();
                Err(error)
            }
        }
    }

    fn make_outside(&mut self) -> Result<(), LabError> {
        let outside = self.add_host(OUTSIDE_HOST)?;
        let client = self.add_host(CLIENT_HOST)?;
        let node = self.add_host(NODE_HOST)?;
        let (outside, client, node) = (&outside, &client, &node);
        let switch = Bridge::make(outside, SWITCH)?;
        outside.add_address(SWITCH, &format!("{OUTSIDE}/24"))?;
        switch.connect("to-client", client.end("eth0"))?;
        client.add_address("eth0", &format!("{CLIENT}/24"))?;
        client.set_default_route(&OUTSIDE.to_string())?;
        switch.connect("to-node", node.end(configuration::EXTERNAL_DEVICE))
    }

    fn add_host(&mut self, name: &str) -> Result<Namespaces, LabError> {
        let host = Host::start(name, &self.dir.join(name), self.lifetime)?;
        self.remember(host)
    }

    fn remember(&mut self, host: Host) -> Result<Namespaces, LabError> {
        let namespaces = Namespaces::clone(&host);
        self.record.hosts.push(RecordedHost::of(host.name(), host.pid)?);
        self.made.push(host);
        self.record.write(&self.dir)?;
        Ok(namespaces)
    }

    /// Starts Navigator in the node and waits for its API; how long that took.
    pub fn start_navigator(&self, binary: &Path) -> Result<Duration, LabError> {
        let node = self.host(NODE_HOST)?;
        // In the node's own directory: of what is below /run, a host sees only that.
        let state = self.dir.join(NODE_HOST).join("navigator");
        fs::create_dir_all(&state).map_err(LabError::io("make Navigator's directory"))?;
        let file = state.join("navigator.toml");
        fs::write(&file, configuration::text(NODE_HOST, &state))
            .map_err(LabError::io(format!("write {}", file.display())))?;
        let (binary, file) = (binary.to_string_lossy(), file.to_string_lossy());
        node.daemon(&[&binary, MODE, "--config", &file], &self.log_path())?;
        self.wait_for_api(&node).map_err(|error| {
            let log = fs::read_to_string(self.log_path()).unwrap_or_default();
            LabError::Mismatch(format!("{error}\n{}", last_lines(&log, 20)))
        })
    }

    /// Waits for an answer as long as the process is there to give one.
    fn wait_for_api(&self, node: &Namespaces) -> Result<Duration, LabError> {
        let start = Instant::now();
        loop {
            let answer = http::wait_until_answered(node, API, "/", START_SLICE);
            let ended = self.navigator_pids()?.is_empty();
            match answer {
                Ok(_) => return Ok(start.elapsed()),
                Err(_) if ended => return Err(LabError::Mismatch("navigator ended".to_owned())),
                Err(error) if start.elapsed() > START_LIMIT => return Err(error),
                Err(_) => {}
            }
        }
    }

    fn navigator_pids(&self) -> Result<Vec<u32>, LabError> {
        let running = self.host(NODE_HOST)?.processes()?.into_iter();
        Ok(running.filter(|(_, argv)| is_navigator(argv)).map(|(pid, _)| pid).collect())
    }

    /// As `kill -9`, and waits until it is gone.
    pub fn kill_navigator(&self) -> Result<(), LabError> {
        for pid in self.navigator_pids()? {
            kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL)
                .map_err(LabError::errno("kill navigator"))?;
        }
        while !self.navigator_pids()?.is_empty() {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Plugs an instance in, lets it ask for its address, and starts its web server; the address.
    pub fn boot(&mut self, name: &str, port: (PortId, MacAddress)) -> Result<Ipv4Addr, LabError> {
        let node = self.host(NODE_HOST)?;
        let dir = self.dir.join(name);
        let instance = Instance::plug(name, &dir, self.lifetime, &node, port)?;
        let address = instance.request_address(DHCP_LIMIT_S);
        // Remembered also when it got no address: it exists, so it has to be removed one day.
        let inside = self.remember(instance.host)?;
        let address = address?;
        serve_page(&inside, &dir, &page(name))?;
        Ok(address)
    }
}

/// What an instance's web server says.
pub(crate) fn page(name: &str) -> String {
    format!("I am {name}.\n")
}

fn serve_page(inside: &Namespaces, dir: &Path, text: &str) -> Result<(), LabError> {
    let www: PathBuf = dir.join("www");
    fs::create_dir_all(&www)
        .and_then(|()| fs::write(www.join("index.html"), text))
        .map_err(LabError::io("write the web page"))?;
    let www = www.to_string_lossy();
    let argv = ["busybox", "httpd", "-f", "-p", "80", "-h", &www];
    inside.daemon(&argv, &dir.join("httpd.log"))
}

fn is_navigator(argv: &[String]) -> bool {
    argv.get(1).is_some_and(|mode| mode == MODE)
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
