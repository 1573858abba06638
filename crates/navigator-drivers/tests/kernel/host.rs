//! A host for one test: a thread with its own network namespace, its own mounts, and an empty `/run`.

use std::{collections::BTreeMap, path::PathBuf, process::Command, thread, time::Duration};

use navigator_drivers::{Kernel, KernelConfig, Look, StepOutcome};
use navigator_model::{NetworkId, RouterId, Scope, kernel_name};
use navigator_state::{Action, Actual, Desired, Link, LinkKind, Namespace, Plan, Step};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

pub(crate) struct Host {
    pub(crate) kernel: Kernel,
}

/// Runs a test's body on a host of its own.
pub(crate) fn on_a_host(body: impl FnOnce(Host) + Send + 'static) {
    let thread = thread::spawn(move || {
        isolate();
        body(Host::here());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn isolate() {
    let flags = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS;
    unshare(flags).expect("these tests need root");
    let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
}

impl Host {
    /// A freshly started agent on the host that the calling thread is on.
    pub(crate) fn here() -> Self {
        let config =
            KernelConfig { netns_dir: "/run/netns".into(), state_dir: "/run/state".into() };
        Self { kernel: Kernel::new(config).unwrap() }
    }

    pub(crate) fn apply(&self, scope: &Scope, actions: Vec<Action>) -> Vec<StepOutcome> {
        let steps = actions.into_iter().map(|action| Step { object: None, action }).collect();
        self.kernel.apply(&Plan::new(scope.clone(), steps))
    }

    /// Applies, and fails the test if any step was refused.
    pub(crate) fn must(&self, scope: &Scope, actions: Vec<Action>) {
        for outcome in self.apply(scope, actions) {
            if let Err(error) = outcome.result {
                panic!("step {}: {error}", outcome.step);
            }
        }
    }

    pub(crate) fn observe(&self, scope: &Scope) -> Actual {
        self.kernel.observe(scope, &nothing(scope), Look::Everything).unwrap()
    }
}

pub(crate) fn nothing(scope: &Scope) -> Desired {
    Desired {
        scope: scope.clone(),
        namespaces: BTreeMap::new(),
        files: BTreeMap::new(),
        processes: BTreeMap::new(),
        problems: Vec::new(),
    }
}

pub(crate) fn router(n: u128) -> Scope {
    Scope::Router(RouterId(uuid::Uuid::from_u128(n)))
}

pub(crate) fn network(n: u128) -> Scope {
    Scope::Network(NetworkId(uuid::Uuid::from_u128(n)))
}

pub(crate) fn namespace(scope: &Scope) -> Namespace {
    Namespace::Named(match scope {
        Scope::Router(id) => kernel_name::router_namespace(*id),
        Scope::Network(id) => kernel_name::dhcp_namespace(*id),
        Scope::Host(_) => panic!("a host scope has no namespace"),
    })
}

pub(crate) fn veth(peer: &str) -> Link {
    Link {
        kind: LinkKind::Veth { peer: peer.to_owned() },
        mac_address: Some("fa:16:3e:00:00:01".parse().unwrap()),
        mtu: Some(1450),
        up: true,
        master: None,
    }
}

pub(crate) fn plain(kind: LinkKind) -> Link {
    Link { kind, mac_address: None, mtu: Some(1450), up: true, master: None }
}

pub(crate) fn create(namespace: &Namespace, name: &str, link: Link) -> Action {
    Action::CreateLink { namespace: namespace.clone(), name: name.to_owned(), link }
}

/// A router's namespace with one pair, `qr-a` and `tap-a`.
pub(crate) fn small_router(scope: &Scope) -> Vec<Action> {
    let inside = namespace(scope);
    vec![Action::CreateNamespace(inside.clone()), create(&inside, "qr-a", veth("tap-a"))]
}

/// A tool's output, in the calling thread's namespaces.
pub(crate) fn run(argv: &[&str]) -> String {
    let output = Command::new(argv[0]).args(&argv[1..]).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{argv:?}: {complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether it holds within half a minute.
pub(crate) fn in_time(holds: impl Fn() -> bool) -> bool {
    (0..3000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        holds()
    })
}

pub(crate) fn state_file(scope: &Scope, name: &str) -> PathBuf {
    PathBuf::from("/run/state").join(scope.to_string()).join(name)
}

/// The words of a refused step.
pub(crate) fn refusal(outcomes: &[StepOutcome], step: usize) -> String {
    match &outcomes[step].result {
        Ok(()) => panic!("step {step} was not refused"),
        Err(error) => error.to_string(),
    }
}
