//! The stock openstack client and what it talks to: where the client is, how it learns who asks, and a
//! server beside a Keystone on the machine's loopback, which needs no root.

use std::{
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use crate::{
    Host, Navigator, Server,
    keystone::{Account, Cloud},
    navigator::binary,
    server,
};

/// Of the server's own user.
pub const SERVICE_PASSWORD: &str = "service secret";

/// The `openstack` program; the script installs it once.
pub fn program() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/stock-client");
    let output = Command::new(&script).stderr(Stdio::inherit()).output().expect("run the script");
    assert!(output.status.success(), "{} could not install the client", script.display());
    String::from_utf8(output.stdout).expect("a path").trim().into()
}

/// The interpreter that the client was installed with.
pub fn python() -> PathBuf {
    program().with_file_name("python")
}

/// Hides from a client, or from a command of ours, who runs the test and how that reaches a cloud.
pub fn unaware(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OS_") {
            command.env_remove(name);
        }
    }
    command.env("NO_PROXY", "*").env("NO_COLOR", "1")
}

/// The client's environment for an account that logs in to Keystone.
pub fn environment(keystone: &Cloud, account: &Account) -> [(&'static str, String); 8] {
    let Account { name, project_name, .. } = account.clone();
    let password = keystone.password_of(account).to_owned();
    [
        ("OS_AUTH_TYPE", "v3password".to_owned()),
        ("OS_AUTH_URL", format!("{}/v3", keystone.url)),
        ("OS_USERNAME", name),
        ("OS_PASSWORD", password),
        ("OS_PROJECT_NAME", project_name),
        ("OS_REGION_NAME", "RegionOne".to_owned()),
        ("OS_USER_DOMAIN_ID", "default".to_owned()),
        ("OS_PROJECT_DOMAIN_ID", "default".to_owned()),
    ]
}

/// A server's `[identity]` with a Keystone, as a user that [`register`] makes.
fn identity(keystone: &Cloud) -> String {
    format!(
        "\n[identity]\nmode = 'keystone'\n[identity.keystone]\nauth_url = '{}'\n\
         username = 'neutron'\npassword = '{SERVICE_PASSWORD}'\n",
        keystone.url
    )
}

/// Makes `navigator` (the program, wherever it is to run) put the server's user and endpoint into
/// Keystone; what it says.
pub fn register(
    keystone: &Cloud,
    navigator: &mut Command,
    config: &Path,
    endpoint: &str,
) -> String {
    let command = unaware(navigator).args(["keystone", "register", "--url", endpoint]);
    succeeds(command.arg("--config").arg(config).env("OS_PASSWORD", keystone.password()))
}

/// Server and agent in a host, registered with a Keystone that is there too.
pub fn all_in_one<'a>(
    host: &'a Host,
    config: &str,
    keystone: &Cloud,
    address: SocketAddr,
) -> Navigator<'a> {
    let config = config.to_owned() + &identity(keystone);
    let file = host.dir().join("register.toml");
    fs::write(&file, &config).expect("write the configuration");
    register(keystone, &mut host.command(binary()), &file, &format!("http://{address}"));
    Navigator::start(host, "all-in-one", &config, address)
}

/// Everything that it said.
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Runs a command to its end, which has to be a good one; what it said.
pub fn succeeds(command: &mut Command) -> String {
    let output = command.output().expect("run a command");
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    said(&output)
}

/// `navigator …` with a configuration file.
pub fn navigator(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    unaware(&mut command).args(arguments).arg("--config").arg(config);
    command
}

/// A server on the loopback that is registered with a Keystone.
pub struct Registered {
    pub keystone: Cloud,
    pub directory: TempDir,
    pub config: PathBuf,
    /// What the registration said.
    pub said: String,
    pub server: Server,
}

impl Registered {
    /// With `settings` (TOML) beside its address, database and identity.
    pub fn start(settings: &str) -> Self {
        let keystone = Cloud::at_hand();
        let directory = TempDir::new().expect("a directory");
        let database = directory.path().join("navigator.sqlite");
        let text = format!(
            "[server]\ndatabase = 'sqlite:{}'\n{settings}{}",
            database.display(),
            identity(&keystone)
        );
        let (config, address) = server::configure(directory.path(), "navigator", &text);
        let endpoint = format!("http://{address}");
        let said = register(&keystone, &mut Command::new(binary()), &config, &endpoint);
        let server = Server::run(&config, address);
        Self { keystone, directory, config, said, server }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// A program in the server's directory that knows its cloud by this account.
    pub fn command(&self, program: impl AsRef<OsStr>, account: &Account) -> Command {
        let mut command = Command::new(program);
        unaware(&mut command).envs(environment(&self.keystone, account));
        command.env("HOME", self.directory.path()).current_dir(self.directory.path());
        command.stdin(Stdio::null());
        command
    }
}
