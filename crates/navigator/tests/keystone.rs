//! The binary beside a Keystone: registered by the command line, used by the stock `openstack`
//! client with `v3password`, operated by its own commands. On the machine's loopback; no root.
//!
//! Keystone is the contract fake of the test kit unless NAVIGATOR_TEST_KEYSTONE names a real one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use navigator_testkit::{keystone::Cloud as Keystone, navigator::binary};
use serde_json::Value;
use tempfile::TempDir;

/// A server that ends with the test, by SIGTERM.
struct Server {
    process: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        // By its own id, which cannot be another's before it was waited for.
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn navigator(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OS_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).arg("--config").arg(config).env("NO_COLOR", "1");
    command
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn succeeds(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    said(&output)
}

fn configuration(directory: &TempDir, address: SocketAddr, keystone: &Keystone) -> PathBuf {
    let file = directory.path().join("navigator.toml");
    let database = directory.path().join("navigator.sqlite");
    let text = format!(
        "[log]\nformat = 'json'\n[server]\nlisten = '{address}'\ndatabase = 'sqlite:{}'\n\
         [identity]\nmode = 'keystone'\n[identity.keystone]\nauth_url = '{}'\n\
         username = 'neutron'\npassword = 'service secret'\n",
        database.display(),
        keystone.url
    );
    fs::write(&file, text).unwrap();
    file
}

fn serve(config: &Path, address: SocketAddr, log: &Path) -> Server {
    let log = fs::File::create(log).unwrap();
    let process = navigator(config, &["server"]).stderr(log).spawn().unwrap();
    let server = Server { process };
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "the server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

/// The installed client; the script installs it once.
fn openstack() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/stock-client");
    let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().into()
}

struct Client {
    program: PathBuf,
    keystone: String,
    name: String,
    password: String,
    project: String,
}

impl Client {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OS_") {
                command.env_remove(name);
            }
        }
        command.args(["--os-auth-type", "v3password"]).args(arguments);
        command.env("NO_PROXY", "*").env("OS_AUTH_URL", format!("{}/v3", self.keystone));
        command.env("OS_USERNAME", &self.name).env("OS_PASSWORD", &self.password);
        command.env("OS_PROJECT_NAME", &self.project).env("OS_REGION_NAME", "RegionOne");
        command.env("OS_USER_DOMAIN_ID", "default").env("OS_PROJECT_DOMAIN_ID", "default");
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["-f", "json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn the_stock_client_finds_the_service_in_keystones_catalogue() {
    let keystone = Keystone::at_hand();
    let directory = TempDir::new().unwrap();
    let address = free_address();
    let config = configuration(&directory, address, &keystone);
    let register = || {
        let url = format!("http://{address}");
        let mut command = navigator(&config, &["keystone", "register", "--url", &url]);
        command.env("OS_PASSWORD", "secret");
        succeeds(command)
    };
    let first = register();
    assert!(first.contains("public endpoint"), "{first}");
    assert_eq!(register(), "Everything was there.\n");

    let log = directory.path().join("log");
    let server = serve(&config, address, &log);
    let client = |account: &navigator_testkit::keystone::Account| Client {
        program: openstack(),
        keystone: keystone.url.clone(),
        name: account.name.clone(),
        password: account.name.clone(),
        project: account.project_name.clone(),
    };
    let account = keystone.account(&["member"]);
    let alice = client(&account);
    let made = alice.json(&["network", "create", "blue"]);
    assert_eq!(
        (&made["name"], &made["project_id"]),
        (&"blue".into(), &account.project.clone().into())
    );
    let listed = alice.json(&["network", "list"]);
    assert_eq!(listed[0]["Name"], "blue", "{listed}");
    let shown = alice.json(&["network", "show", "blue"]);
    assert_eq!(shown["id"], made["id"]);

    let bob = client(&keystone.account(&["member"]));
    assert_eq!(bob.json(&["network", "list"]), serde_json::json!([]));
    let stranger = Client { password: "wrong".to_owned(), ..bob };
    let refused = stranger.run(&["network", "list"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("401"), "{}", said(&refused));

    drop(server);
    let log = fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let answered = lines.iter().find(|line| line["message"] == "answered" && line["status"] == 201);
    let request = &answered.unwrap_or_else(|| panic!("{log}"))["request"];
    assert_eq!(request["project"], Value::from(account.project.clone()), "{request}");
    assert!(request["id"].as_str().unwrap().starts_with("req-"), "{request}");
    assert!(!log.contains("gAAAA") && !log.contains("service secret"), "a secret is in the log");
}

#[test]
fn operators_look_at_configuration_and_schema_without_a_server() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let database = directory.path().join("kept/navigator.sqlite");
    let config = format!("[server]\ndatabase = 'sqlite:{}'\n", database.display());
    let config = file("navigator.toml", &config);
    let neutron = "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = 9797\napi_workers = 4\n\
                   [database]\nconnection = mysql+pymysql://neutron:hidden@db/neutron\n";
    let neutron = file("neutron.conf", neutron);

    let neutron = neutron.to_str().unwrap();
    let told = succeeds(navigator(&config, &["config", "check", "--neutron-conf", neutron]));
    assert!(told.contains("listen:   127.0.0.1:9797"), "{told}");
    assert!(told.contains("[DEFAULT] api_workers: ignored"), "{told}");
    assert!(!told.contains("hidden"), "{told}");

    let wrong = file("wrong.toml", "[server]\nlissten = '127.0.0.1:1'\n");
    let output = navigator(&wrong, &["config", "check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("lissten"), "{}", said(&output));

    let current = navigator(&config, &["db", "current"]).output().unwrap();
    assert_eq!(current.status.code(), Some(1), "{}", said(&current));
    assert!(!database.exists(), "asking makes no database");
    succeeds(navigator(&config, &["db", "upgrade"]));
    let current = navigator(&config, &["db", "current"]).output().unwrap();
    let newest = String::from_utf8(current.stdout).unwrap();
    assert!(newest.trim().split('_').next().unwrap().parse::<u32>().is_ok(), "{newest}");
    let check = succeeds(navigator(&config, &["db", "check"]));
    assert!(check.contains("The schema is current."), "{check}");
}
