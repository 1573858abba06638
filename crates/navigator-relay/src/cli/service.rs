//! A relay in the foreground: one thread that waits for signals, for its file to change and for
//! questions about counters. The workers do the rest.

use std::{env, io, os::fd::AsFd as _, path::PathBuf, process::Command, thread};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};

use super::{
    configuration::{Configuration, Settings},
    metrics, notify,
    watched::Watched,
};
use crate::{Handover, HandoverListener, Relay, Stop, memory, prometheus, raise_descriptor_limit};

pub(super) enum Failure {
    /// The configuration, line by line.
    Wrong(Vec<String>),
    System(&'static str, io::Error),
}

fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::System(what, error.into())
}

struct Service {
    relay: Relay,
    settings: Settings,
    file: Option<PathBuf>,
    /// This program's own.
    program: PathBuf,
    signals: SignalFd,
    watched: Watched,
    metrics: Option<metrics::Listener>,
    handover: Option<HandoverListener>,
}

const SIGNALS: [Signal; 4] = [Signal::SIGHUP, Signal::SIGUSR2, Signal::SIGTERM, Signal::SIGINT];

enum Told {
    Reload,
    /// Start the program anew, as its file is now, for it to take over.
    Replace,
    Stop,
    /// A successor wants to take over.
    HandOver(Handover),
}

pub(super) fn run(configuration: Configuration, file: Option<PathBuf>) -> Result<(), Failure> {
    let mut service = Service::start(configuration, file)?;
    loop {
        match service.wait().map_err(system("waiting"))? {
            Told::Reload => service.reload(),
            Told::Replace => service.replace(),
            Told::Stop => {
                service.tell_stopping();
                service.stop(Relay::stop);
                return Ok(());
            }
            Told::HandOver(to) => match service.hand_over(&to) {
                Ok(()) => {
                    service.stop(Relay::retire);
                    return Ok(());
                }
                Err(error) => tracing::warn!("the successor did not take over: {error}"),
            },
        }
    }
}

impl Service {
    fn start(configuration: Configuration, file: Option<PathBuf>) -> Result<Self, Failure> {
        if let Err(error) = raise_descriptor_limit(u64::MAX) {
            tracing::warn!(%error, "cannot raise the limit of open files");
        }
        let Configuration { set, settings } = configuration;
        // Its name now: once the file is replaced, the system calls it deleted.
        let program = env::current_exe().map_err(system("finding this program's file"))?;
        // Before there are other threads: they inherit it, and signals come here only.
        let wanted = SigSet::from_iter(SIGNALS);
        wanted.thread_block().map_err(system("blocking signals"))?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = SignalFd::with_flags(&wanted, flags).map_err(system("signalfd"))?;
        // From here on, so that no change between reading and watching is missed.
        let mut watched = Watched::new(file.as_deref()).map_err(system("inotify"))?;
        watched.watch_files_of(&set);
        let mut relay =
            Relay::start(settings.options.clone()).map_err(system("starting the workers"))?;
        let place = settings.handover.as_deref();
        let before =
            place.map(Handover::connect).transpose().map_err(system("handover"))?.flatten();
        if let Some(before) = &before {
            relay.take_over(before).map_err(system("taking over"))?;
        }
        relay.apply(set).map_err(|error| Failure::Wrong(error.lines))?;
        memory::give_back();
        if let Some(before) = &before {
            let gone = before.say("ready").and_then(|()| before.expect("gone"));
            gone.map_err(system("taking over"))?;
            tracing::info!("took over from the relay that ran before");
        }
        let handover = place.map(HandoverListener::bind).transpose().map_err(system("handover"))?;
        let metrics = settings.metrics.as_ref().map(metrics::Listener::bind).transpose();
        let metrics = metrics.map_err(system("metrics"))?;
        let mut service =
            Self { relay, settings, file, program, signals, watched, metrics, handover };
        service.told_ready();
        Ok(service)
    }

    fn told_ready(&mut self) {
        let count = self.relay.set().len();
        for (name, forward) in self.relay.set().iter().take(20) {
            let (transport, listen, connect) =
                (forward.transport, &forward.listen, &forward.connect);
            tracing::info!("{name}: {transport} {listen} leads to {connect}");
        }
        tracing::info!(forwards = count, workers = self.settings.options.workers, "ready");
        notify::tell(&format!("READY=1\nSTATUS={count} forwards"));
    }

    /// Until there is something to do. Questions about counters are answered meanwhile.
    fn wait(&mut self) -> io::Result<Told> {
        loop {
            let mut waited = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            let also = [
                Some(self.watched.as_fd()),
                self.metrics.as_ref().map(|metrics| metrics.as_fd()),
                self.handover.as_ref().map(|handover| handover.as_fd()),
            ];
            waited.extend(also.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
            match poll(&mut waited, PollTimeout::NONE) {
                Err(nix::errno::Errno::EINTR) => continue,
                other => other?,
            };
            if let Some(signal) = self.signals.read_signal()? {
                return Ok(match Signal::try_from(signal.ssi_signo.cast_signed()) {
                    Ok(Signal::SIGHUP) => Told::Reload,
                    Ok(Signal::SIGUSR2) => Told::Replace,
                    _ => Told::Stop,
                });
            }
            if self.watched.something_has_changed() {
                return Ok(Told::Reload);
            }
            if let Some(Ok(to)) = self.handover.as_ref().map(HandoverListener::accept) {
                return Ok(Told::HandOver(to));
            }
            if let Some(metrics) = &self.metrics {
                metrics.answer(|| prometheus::text(&self.relay));
            }
        }
    }

    /// What is wrong is told, and the old set stays in force.
    fn reload(&mut self) {
        notify::tell_reloading();
        let read = match &self.file {
            Some(file) => Configuration::read(file).map(|it| (it.set, Some(it.settings))),
            // Given on the command line: only its certificates can be others.
            None => Ok((self.relay.set().clone(), None)),
        };
        let applied = read.and_then(|(set, settings)| {
            self.watched.watch_files_of(&set);
            self.relay.apply(set).map_err(|error| error.lines)?;
            Ok(settings)
        });
        match applied {
            Ok(new) => {
                if let Some(new) = new {
                    let old = &self.settings;
                    if (new.options.workers, &new.metrics) != (old.options.workers, &old.metrics) {
                        tracing::warn!("[relay]: workers and metrics change with the next start");
                    }
                    self.settings.drain = new.drain;
                }
                memory::give_back();
                self.told_ready();
            }
            Err(lines) => {
                for line in lines {
                    tracing::error!("{line}");
                }
                tracing::error!("the old forwards stay in force");
                notify::tell("READY=1\nSTATUS=the file is wrong; the old forwards stay in force");
            }
        }
    }

    /// Until the successor is ready, this one goes on as if nothing were.
    fn hand_over(&mut self, to: &Handover) -> io::Result<()> {
        self.relay.hand_over(to)?;
        to.expect("ready")?;
        self.metrics = None;
        self.handover = None;
        // Before it hears so and says that it is ready: a supervisor listens to the main process.
        if let Ok(pid) = to.peer_pid() {
            notify::tell(&format!("MAINPID={pid}"));
        }
        tracing::info!("a successor has taken over");
        to.say("gone")
    }

    /// Starts this program's file with the arguments that this process was started with.
    fn replace(&self) {
        if self.handover.is_none() {
            tracing::error!("nobody can take over: [relay] has no 'handover'");
            return;
        }
        let started = Command::new(&self.program).args(env::args_os().skip(1)).spawn();
        match started {
            // If all is well, this process ends before that one.
            Ok(mut successor) => drop(thread::spawn(move || {
                if let Ok(status) = successor.wait() {
                    tracing::error!("the new program has ended: {status}");
                }
            })),
            Err(error) => {
                tracing::error!("{} cannot be started: {error}", self.program.display());
            }
        }
    }

    fn tell_stopping(&self) {
        let (open, drain) = (self.relay.open(), self.settings.drain);
        notify::tell(&format!("STOPPING=1\nSTATUS={open} connections may go on for {drain:?}"));
    }

    /// Lets connections end in their time; a second signal ends them at once.
    fn stop(self, how: fn(Relay, Stop)) {
        let drain = self.settings.drain;
        let open = self.relay.open();
        tracing::info!(open, ?drain, "ending");
        let relay = self.relay;
        let ended = thread::spawn(move || how(relay, Stop::After(drain)));
        let mut waited = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        while !ended.is_finished() {
            match poll(&mut waited, PollTimeout::from(50_u16)) {
                Ok(0) | Err(_) => {}
                Ok(_) => return,
            }
        }
    }
}
