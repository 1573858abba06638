//! Part i: how long somebody who only wants to work waits while another project attacks. Attackers are
//! processes of their own at the lowest priority, since they would be on other machines; what they take
//! of this machine all the same is measured by letting them attack a server that does nothing.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use navigator_testkit::{
    Postgres, Server, Site,
    hostile::{Attack, HTPASSWD, PATIENCE, Victim},
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    time::timeout,
};

use crate::figures::{heading, milliseconds, percentile, verdict};

pub(crate) const CHILD: &str = "attack-child";
const GOAL: f64 = 2.0;
const CALM: Duration = Duration::from_secs(1);
/// Each attack is made so often on both servers, in turns: the machine is not as fast at all times.
const ROUNDS: usize = 3;

pub(crate) fn run() -> anyhow::Result<()> {
    heading("i. A victim's requests while another project attacks");
    let runtime = runtime()?;
    let site = Site::new();
    let postgres = Postgres::start();
    let htpasswd = site.path().join("htpasswd");
    fs::write(&htpasswd, HTPASSWD)?;
    let patience = PATIENCE.as_secs();
    let config = format!(
        "[server]\ndatabase = '{}'\nheader_timeout_s = {patience}\nbody_timeout_s = {patience}\n\n\
         [identity]\nmode = 'basic'\nhtpasswd = '{}'\n\n[log]\nfilter = 'error'\n",
        postgres.database(),
        htpasswd.display(),
    );
    let server = Server::start(site.path(), "server", &config);
    let nothing = Nothing::start()?;
    println!(
        "p99 in ms of the victim at Navigator: alone, beside the attackers of a server that does\n\
         nothing, and attacked; the last as times the one before\n"
    );
    println!("{:<42} {:>7} {:>7} {:>9} {:>7}", "attack", "alone", "beside", "attacked", "times");
    let mut met = 0;
    let attacks = Attack::all();
    for (index, attack) in attacks.iter().enumerate() {
        let [mut alone, mut beside, mut attacked] = [const { Vec::new() }; 3];
        for round in 0..ROUNDS {
            alone.extend(runtime.block_on(calm(server.address)));
            let mut turns = [(&mut beside, nothing.address), (&mut attacked, server.address)];
            turns.rotate_left(round % 2);
            for (waits, attacked) in turns {
                waits.extend(runtime.block_on(during(server.address, index, attacked))?);
            }
        }
        let [alone, beside, attacked] =
            [&mut alone, &mut beside, &mut attacked].map(|waits| percentile(waits, 0.99));
        let times = attacked / beside;
        met += usize::from(times <= GOAL);
        println!("{:<42} {alone:>7.2} {beside:>7.2} {attacked:>9.2} {times:>7.1}", attack.name);
    }
    let all = attacks.len();
    println!("\n{met} of {all} within 2 times  {}\n", verdict((met == all).into(), "all"));
    Ok(())
}

/// How long each of a victim's requests took, in milliseconds.
type Waits = Vec<f64>;

fn waits(victim: &Victim) -> Waits {
    victim.took().iter().copied().map(milliseconds).collect()
}

async fn calm(server: SocketAddr) -> Waits {
    let mut victim = Victim::new(server);
    victim.work_for(CALM).await;
    waits(&victim)
}

/// The victim's at `server` while the attack is made on `to`.
async fn during(server: SocketAddr, attack: usize, to: SocketAddr) -> anyhow::Result<Waits> {
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(std::env::current_exe()?);
    command.args([CHILD, &attack.to_string(), &to.to_string()]);
    let mut attackers = command.spawn().context("start the attackers")?;
    let mut victim = Victim::new(server);
    loop {
        victim.work().await;
        match attackers.try_wait()? {
            None => {}
            Some(status) if status.success() => return Ok(waits(&victim)),
            Some(status) => bail!("the attackers ended: {status}"),
        }
    }
}

/// `attack-child NUMBER ADDRESS` attacks; `attack-child nothing` is a server that does nothing.
pub(crate) fn child(arguments: &[String]) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let [first, rest @ ..] = arguments else { bail!("what to do") };
    if first == "nothing" {
        return runtime.block_on(do_nothing());
    }
    let attacks = Attack::all();
    let attack = attacks.get(first.parse::<usize>()?).context("an attack")?;
    runtime.block_on(attack.run(rest.first().context("an address")?.parse()?));
    Ok(())
}

fn runtime() -> anyhow::Result<Runtime> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// A server that answers everything alike.
struct Nothing {
    process: Child,
    address: SocketAddr,
}

impl Nothing {
    fn start() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.args([CHILD, "nothing"]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("its output")?).read_line(&mut line)?;
        Ok(Self { process, address: line.trim().parse()? })
    }
}

impl Drop for Nothing {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn do_nothing() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move { timeout(PATIENCE, refuse(stream)).await });
    }
}

/// Once there is a head, whatever it says.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}").await
}
