//! The programs that are compared: started in the relay's host, asked what they cost.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use navigator_lab::{Host, Process};
use navigator_relay::{Forward, Transport};
use nix::unistd::{SysconfVar, sysconf};

use super::PORT;

/// Where Navigator serves its counters.
const METRICS: u16 = 9797;

const SOCAT: &str = "/usr/bin/socat";
const HAPROXY: &str = "/usr/sbin/haproxy";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Navigator,
    Tokio,
    Socat,
    Haproxy,
}

/// Ends with the value.
pub(super) struct Running(Process);

impl Peer {
    pub(super) fn installed() -> Vec<Self> {
        let mut peers = vec![Self::Navigator, Self::Tokio];
        for (peer, program) in [(Self::Socat, SOCAT), (Self::Haproxy, HAPROXY)] {
            if Path::new(program).exists() {
                peers.push(peer);
            } else {
                println!("not installed, so not measured: {}", peer.name());
            }
        }
        peers
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Navigator => "navigator",
            Self::Tokio => "tokio copy",
            Self::Socat => "socat",
            Self::Haproxy => "HAProxy",
        }
    }

    /// Listens on [`PORT`] and leads to `target`.
    pub(super) fn start(self, host: &Host, target: SocketAddr) -> anyhow::Result<Running> {
        let mut command = match self {
            Self::Navigator => return navigator(host, target, 1),
            Self::Tokio => own(&["tokio", &target.to_string()])?,
            Self::Socat => {
                let mut command = Command::new(SOCAT);
                command
                    .arg(format!("TCP4-LISTEN:{PORT},fork,reuseaddr,backlog=4096"))
                    .arg(format!("TCP:{target}"));
                command
            }
            Self::Haproxy => haproxy(host, target)?,
        };
        running(host, &mut command, ("tcp", PORT))
    }

    pub(super) fn has_udp(self) -> bool {
        matches!(self, Self::Navigator | Self::Socat)
    }

    /// The same for datagrams.
    pub(super) fn start_udp(self, host: &Host, target: SocketAddr) -> anyhow::Result<Running> {
        if self == Self::Navigator {
            let (name, forward) = super::adding::entry(0, target)?;
            let forward = Forward::new(Transport::Udp, forward.listen, forward.connect);
            return started(host, vec![(name, forward)]);
        }
        let mut command = Command::new(SOCAT);
        // Its child for each flow has the port too, and ends by this many seconds of silence.
        command.args(["-T", "0.5"]);
        command.arg(format!("UDP4-LISTEN:{PORT},fork,reuseaddr")).arg(format!("UDP:{target}"));
        running(host, &mut command, ("udp", PORT))
    }
}

/// As many forwards, the first of them on [`PORT`].
pub(super) fn navigator(host: &Host, target: SocketAddr, count: usize) -> anyhow::Result<Running> {
    started(host, super::adding::entries(0..count, target)?)
}

fn started(host: &Host, forwards: Vec<(String, Forward)>) -> anyhow::Result<Running> {
    let file = host.dir().join("forwards.toml");
    let mut text = format!("[relay]\nmetrics = '127.0.0.1:{METRICS}'\n");
    for (name, Forward { transport, listen, connect, .. }) in forwards {
        writeln!(text, "[forward.{name}]\nprotocol = '{transport}'")?;
        writeln!(text, "listen = '{listen}'\nconnect = '{connect}'")?;
    }
    fs::write(&file, text)?;
    let mut command = Command::new(navigator_testkit::navigator::binary());
    command.args(["relay", "--config"]).arg(file).env("RUST_LOG", "error");
    // Opened when all else is done.
    running(host, &mut command, ("tcp", METRICS))
}

fn running(
    host: &Host,
    command: &mut Command,
    (table, port): (&str, u16),
) -> anyhow::Result<Running> {
    let running = Running(host.process(command)?);
    let start = Instant::now();
    let wanted = format!(":{port:04X}");
    let listens = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next(), fields.nth(1));
        local.is_some_and(|it| it.ends_with(&wanted)) && matches!(state, Some("0A" | "07"))
    };
    while !host.run(&["cat", &format!("/proc/net/{table}")])?.lines().any(listens) {
        if start.elapsed() > Duration::from_secs(20) {
            bail!("{command:?} does not listen");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(running)
}

/// This very program, as another relay.
fn own(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("relay-child").args(arguments);
    Ok(command)
}

/// TCP mode with splice, as its documentation advises for forwarding.
fn haproxy(host: &Host, target: SocketAddr) -> anyhow::Result<Command> {
    let file = host.dir().join("haproxy.cfg");
    let text = format!(
        "global\n  maxconn 100000\n  nbthread 2\ndefaults\n  mode tcp\n  option splice-auto\n  \
         timeout connect 10s\n  timeout client 1h\n  timeout server 1h\n\
         listen relay\n  bind :{PORT} backlog 65535\n  server target {target}\n"
    );
    fs::write(&file, text)?;
    let mut command = Command::new(HAPROXY);
    command.arg("-db").arg("-f").arg(file);
    Ok(command)
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill9();
    }
}

impl Running {
    fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0.pid())).unwrap_or_default()
    }

    /// Used so far, children that have ended included.
    pub(super) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(4).filter_map(|f| f.parse::<u64>().ok()).sum();
        let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
        Duration::from_secs_f64(ticks as f64 / per_second as f64)
    }

    pub(super) fn resident_kb(&self) -> anyhow::Result<u64> {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
        Ok(line.split_whitespace().nth(1).context("VmRSS")?.parse()?)
    }
}

/// What this program does when a bench starts it as a relay: never returns.
pub(crate) fn child(arguments: &[String]) -> anyhow::Result<()> {
    match arguments {
        [kind, target] if kind == "tokio" => tokio_copy(target.parse()?),
        _ => bail!("for the bench itself"),
    }
}

#[tokio::main]
async fn tokio_copy(target: SocketAddr) -> anyhow::Result<()> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from(([0, 0, 0, 0], PORT)))?;
    let listener = socket.listen(4096)?;
    loop {
        let (mut client, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Ok(mut server) = tokio::net::TcpStream::connect(target).await {
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}
