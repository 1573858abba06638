//! A network namespace per test: its ports are nobody else's, and all of it goes with the test.

use std::{cell::Cell, process::Command};

use nix::sched::{CloneFlags, unshare};

thread_local! {
    static NEXT_PORT: Cell<Option<u16>> = const { Cell::new(None) };
}

/// Moves the calling thread, and those that it starts from now on, into a network of their own.
pub(crate) fn own() {
    if NEXT_PORT.get().is_none() {
        unshare(CloneFlags::CLONE_NEWNET).expect("tests of the relay need root");
        let status = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(status.expect("install iproute2").success());
        NEXT_PORT.set(Some(20_000));
    }
}

/// A port that nothing uses, and that the kernel gives to nobody by itself.
pub(crate) fn free_port() -> u16 {
    own();
    let port = NEXT_PORT.get().expect("set by own()");
    NEXT_PORT.set(Some(port + 1));
    port
}
