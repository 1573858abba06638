//! A server process, who attacks it and who suffers.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use navigator_testkit::{
    Postgres, Server, Site,
    hostile::{Answers, Attack, HTPASSWD, PATIENCE, Victim},
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What the server may take for an attack.
const MOST_GROWTH_KIB: u64 = 64 << 10;

pub(crate) struct Scene {
    server: Server,
    _site: Site,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        // The attackers hold as many descriptors as the server.
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        let site = Site::new();
        let htpasswd = site.path().join("htpasswd");
        fs::write(&htpasswd, HTPASSWD).unwrap();
        let config = format!(
            "[server]\ndatabase = '{}'\nheader_timeout_s = {patience}\nbody_timeout_s = {patience}\n\n\
             [identity]\nmode = 'basic'\nhtpasswd = '{}'\n\n[log]\nfilter = 'error'\n",
            Postgres::shared().database(),
            htpasswd.display(),
            patience = PATIENCE.as_secs(),
        );
        let scene = Self { server: Server::start(site.path(), "server", &config), _site: site };
        // What is allocated once.
        scene.calm().await;
        scene
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    fn file(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.server.pid()).into()
    }

    fn status_kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(self.file("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The victim alone, for as long as it takes to know how it fares.
    async fn calm(&self) -> Victim {
        let mut victim = Victim::new(self.address());
        victim.work_for(Duration::from_secs(1)).await;
        victim
    }

    /// What the attack was answered, with the victim at work from its begin to its end.
    pub(crate) async fn during(&self, attack: Attack) -> Answers {
        let (name, address) = (attack.name, self.address());
        let before = self.calm().await;
        let resident = self.status_kib("VmRSS:");
        // From here on the peak counts.
        fs::write(self.file("clear_refs"), "5").unwrap();
        let mut victim = Victim::new(self.address());
        let attack = tokio::spawn(async move { attack.run(address).await });
        // At least everything that it does once.
        while !attack.is_finished() || victim.requests() < 4 {
            victim.work().await;
        }
        let answers = attack.await.unwrap();
        let grown = self.status_kib("VmHWM:").saturating_sub(resident);
        let (calm, attacked) = (before.p99(), victim.p99());
        println!(
            "{name}: answered {answers:?}; victim: {} requests, p99 {calm:?} -> {attacked:?} \
             ({:.1} times); server + {:.1} MiB",
            victim.requests(),
            attacked.as_secs_f64() / calm.as_secs_f64(),
            grown as f64 / 1024.0,
        );
        assert!(grown <= MOST_GROWTH_KIB, "{name}: grew by {grown} KiB");
        answers
    }
}
