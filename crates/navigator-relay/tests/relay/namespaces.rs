//! Listening in one namespace and connecting in another, where addresses overlap.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use navigator_relay::{Options, Relay};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};

use crate::support::*;

/// The address that every tenant has.
const SHARED: &str = "10.0.0.5";

/// A named namespace in a directory of the test's own.
pub(crate) struct Netns(PathBuf);

impl Netns {
    pub(crate) fn make(directory: &Path, name: &str) -> Self {
        let path = directory.join(name);
        File::create(&path).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).unwrap();
                for argv in [
                    &["link", "set", "lo", "up"][..],
                    &["address", "add", &format!("{SHARED}/32"), "dev", "lo"],
                ] {
                    assert!(Command::new("ip").args(argv).status().unwrap().success());
                }
                let own = Path::new("/proc/thread-self/ns/net");
                let flags = MsFlags::MS_BIND;
                mount(Some(own), &path, None::<&str>, flags, None::<&str>).unwrap();
            });
        });
        Self(path)
    }

    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = || {
                setns(File::open(&self.0).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
                work()
            };
            scope.spawn(inside).join().unwrap()
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

fn relay_with(directory: &Path, text: &str) -> Relay {
    crate::network::own();
    let options = Options { workers: 2, namespaces: directory.to_owned() };
    let mut relay = Relay::start(options).unwrap();
    relay.apply(set(text)).unwrap();
    relay
}

/// Says its name to each connection.
fn says(netns: &Netns, name: &'static str) {
    let listener = netns.run(|| TcpListener::bind((SHARED, 22)).unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(name.as_bytes());
            let _ = stream.read(&mut [0]);
        }
    });
}

#[test]
fn one_address_in_two_namespaces_is_two_targets() {
    let directory = tempfile::tempdir().unwrap();
    let make = |name| Netns::make(directory.path(), name);
    let (edge, red, blue) = (make("edge"), make("red"), make("blue"));
    says(&red, "red");
    says(&blue, "blu");
    let entry = |name: &str, port: u16| {
        format!(
            "[forward.{name}]\nlisten = {{ address = ':{port}', netns = 'edge' }}\n\
             connect = {{ address = '{SHARED}:22', netns = '{name}' }}\n"
        )
    };
    let _relay = relay_with(directory.path(), &(entry("red", 1001) + &entry("blue", 1002)));
    for _ in 0..50 {
        for (port, name) in [(1001, "red"), (1002, "blu")] {
            hears(&edge.run(|| TcpStream::connect(("127.0.0.1", port)).unwrap()), name);
        }
    }
    // Nobody listens where the relay itself is.
    is_refused(1001);
}

#[test]
fn datagrams_cross_namespaces_too() {
    let directory = tempfile::tempdir().unwrap();
    let tenant = Netns::make(directory.path(), "tenant");
    let target = tenant.run(|| UdpSocket::bind((SHARED, 53)).unwrap());
    let text = format!(
        "[forward.a]\nprotocol = 'udp'\nlisten = '127.0.0.1:5300'\n\
         connect = {{ address = '{SHARED}:53', netns = 'tenant' }}\n"
    );
    let _relay = relay_with(directory.path(), &text);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect("127.0.0.1:5300").unwrap();
    for socket in [&client, &target] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    client.send(b"question").unwrap();
    let mut buffer = [0; 64];
    let (length, relay) = target.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"question");
    target.send_to(b"answer", relay).unwrap();
    let length = client.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"answer");
}

#[test]
fn a_name_that_means_another_namespace_is_another_place() {
    let directory = tempfile::tempdir().unwrap();
    let old = Netns::make(directory.path(), "edge");
    let target = Target::says("hello");
    let text = format!(
        "[forward.a]\nlisten = {{ address = ':1001', netns = 'edge' }}\nconnect = '{}'\n",
        target.address
    );
    let mut relay = relay_with(directory.path(), &text);
    let connect = |netns: &Netns| netns.run(|| TcpStream::connect(("127.0.0.1", 1001)));
    hears(&connect(&old).unwrap(), "hello");
    drop(old);
    std::fs::remove_file(directory.path().join("edge")).unwrap();
    let new = Netns::make(directory.path(), "edge");
    assert!(connect(&new).is_err());
    // A change of another forward does not look there, and one that is refused forgets nothing.
    let echo = set(&format!("[forward.b]\nlisten = ':1002'\nconnect = '{}'\n", target.address));
    relay.change([], [("b".to_owned(), echo.get("b").unwrap().clone())]).unwrap();
    assert!(connect(&new).is_err());
    let bad = text.clone() + "[forward.c]\nlisten = '192.0.2.77:1'\nconnect = '10.0.0.1:1'\n";
    relay.apply(set(&bad)).unwrap_err();
    assert!(connect(&new).is_err());
    relay.apply(set(&text)).unwrap();
    hears(&connect(&new).unwrap(), "hello");
}
