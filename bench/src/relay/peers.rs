//! The programs that are compared: started in the relay's host, asked what they cost.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use navigator_lab::{Host, Process};
use navigator_relay::{Forward, Transport};
use nix::{
    sys::signal::Signal,
    unistd::{SysconfVar, sysconf},
};

use super::PORT;

/// Where Navigator serves its counters.
const METRICS: u16 = 9797;

const SOCAT: &str = "/usr/bin/socat";
const HAPROXY: &str = "/usr/sbin/haproxy";

const HAPROXY_TCP: &str = include_str!("../../haproxy.cfg");
const HAPROXY_TLS: &str = include_str!("../../haproxy-tls.cfg");

/// The name of Navigator's file in the relay's host.
pub(super) const FORWARDS: &str = "forwards.toml";

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
            Self::Haproxy => return haproxy(host, target, 1),
        };
        running(host, &mut command, ("tcp", PORT))
    }

    /// As many forwards to `target`, the first of them on [`PORT`]. Of those alone that know many.
    pub(super) fn start_many(
        self,
        host: &Host,
        target: SocketAddr,
        count: usize,
    ) -> anyhow::Result<Running> {
        match self {
            Self::Navigator => navigator(host, target, count),
            Self::Haproxy => haproxy(host, target, count),
            Self::Tokio | Self::Socat => bail!("{} knows one forward", self.name()),
        }
    }

    pub(super) fn knows_many(self) -> bool {
        matches!(self, Self::Navigator | Self::Haproxy)
    }

    /// Ends clients' TLS on [`PORT`]. `pem` is a certificate and its key.
    pub(super) fn start_tls(
        self,
        host: &Host,
        target: SocketAddr,
        pem: &Path,
    ) -> anyhow::Result<Running> {
        if self == Self::Navigator {
            let pem = pem.display();
            let more = format!("tls = {{ certificate = '{pem}', key = '{pem}' }}\n");
            return started(host, vec![super::adding::entry(0, target)?], &more);
        }
        let mut command = Command::new(HAPROXY);
        command.args(["-db", "-q", "-f"]).arg(configuration(host, HAPROXY_TLS)?);
        command.env("PORT", PORT.to_string()).env("TARGET", target.to_string()).env("PEM", pem);
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
            return started(host, vec![(name, forward)], "");
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
    started(host, super::adding::entries(0..count, target)?, "")
}

/// The file of these forwards, each with `more` to it.
pub(super) fn text(forwards: Vec<(String, Forward)>, more: &str) -> anyhow::Result<String> {
    let mut text = format!("[relay]\nmetrics = '127.0.0.1:{METRICS}'\n");
    for (name, Forward { transport, listen, connect, .. }) in forwards {
        writeln!(text, "[forward.{name}]\nprotocol = '{transport}'")?;
        writeln!(text, "listen = '{listen}'\nconnect = '{connect}'\n{more}")?;
    }
    Ok(text)
}

fn started(host: &Host, forwards: Vec<(String, Forward)>, more: &str) -> anyhow::Result<Running> {
    let file = host.dir().join(FORWARDS);
    fs::write(&file, text(forwards, more)?)?;
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

fn configuration(host: &Host, text: &str) -> anyhow::Result<PathBuf> {
    let file = host.dir().join("haproxy.cfg");
    fs::write(&file, text)?;
    Ok(file)
}

/// HAProxy's file with as many forwards, a section each.
pub(super) fn haproxy_text(count: usize, target: SocketAddr) -> anyhow::Result<String> {
    let mut text = HAPROXY_TCP.to_owned();
    for (name, Forward { listen, .. }) in super::adding::entries(1..count, target)? {
        writeln!(text, "listen {name}\n    bind {listen}\n    server target {target}")?;
    }
    Ok(text)
}

fn haproxy(host: &Host, target: SocketAddr, count: usize) -> anyhow::Result<Running> {
    let file = configuration(host, &haproxy_text(count, target)?)?;
    let mut command = Command::new(HAPROXY);
    command.args(["-db", "-q", "-f"]).arg(file);
    command.env("PORT", PORT.to_string()).env("TARGET", target.to_string());
    running(host, &mut command, ("tcp", PORT))
}

/// One that starts itself anew by a signal, and where its file is.
pub(super) fn haproxy_master(
    host: &Host,
    target: SocketAddr,
    count: usize,
) -> anyhow::Result<(Running, PathBuf)> {
    let file = configuration(host, &haproxy_text(count, target)?)?;
    let mut command = Command::new(HAPROXY);
    command.args(["-W", "-q", "-f"]).arg(&file);
    command.env("PORT", PORT.to_string()).env("TARGET", target.to_string());
    Ok((running(host, &mut command, ("tcp", PORT))?, file))
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill9();
    }
}

impl Running {
    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(self.0.signal(signal)?)
    }

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
