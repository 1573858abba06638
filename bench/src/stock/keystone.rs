//! A real Keystone with an account for the network service and one for an administrator.

use std::{fs, process::Command};

use anyhow::Context as _;
use navigator_lab::{Api, Host, http};
use navigator_testkit::{Postgres, navigator, stock::unaware};
use serde_json::json;

use super::{START_LIMIT, Start, environment, last_lines, loopback, root};

pub(super) const URL: &str = "http://127.0.0.1:5000";
/// Of the user `neutron`, which both servers are.
pub(crate) const SERVICE_PASSWORD: &str = "of-the-service";

const PASSWORD: &str = "secret";
const PORT: u16 = 5000;

pub(crate) struct Keystone {
    /// Where it keeps its users.
    _database: Postgres,
    /// An administrator's, and the project that it is for.
    pub(crate) token: String,
    pub(crate) project_id: String,
}

impl Keystone {
    pub(crate) fn start(host: &Host) -> anyhow::Result<Self> {
        let dir = host.dir().join("keystone");
        for keys in ["fernet", "credential"] {
            fs::create_dir_all(dir.join(keys))?;
        }
        let database = Postgres::start();
        let environment = environment("keystone", "interop/requirements-keystone.txt")?;
        let start = Start { host, dir: &dir, environment: &environment };
        let file = start.path("keystone.conf");
        fs::write(&file, configuration(&start, &database.database()))?;
        for arguments in [
            &["db_sync"][..],
            &["fernet_setup", "--keystone-user", "root", "--keystone-group", "root"],
            &["credential_setup", "--keystone-user", "root", "--keystone-group", "root"],
            &BOOTSTRAP,
        ] {
            let mut command = Command::new(start.program("keystone-manage"));
            command.args(["--config-file", &file]).args(arguments);
            start.finish("keystone-manage", &mut command)?;
        }
        let mut command = Command::new(start.program("gunicorn"));
        let at = loopback(PORT).to_string();
        command
            .env("OS_KEYSTONE_CONFIG_FILES", &file)
            .arg("--pythonpath")
            .arg(root().join("interop"));
        // One process, since what it remembers is its own.
        command.args(["--bind", &at, "--workers", "1", "--threads", "4"]);
        start.background("keystone", command.arg("keystone_wsgi:application"))?;
        http::wait_until_answered(host, loopback(PORT), "/v3", START_LIMIT)
            .with_context(|| last_lines(&dir.join("keystone.log")))?;
        register(host, &start)?;
        let (token, project_id) = log_in(host)?;
        Ok(Self { _database: database, token, project_id })
    }

    /// The part of a configuration that makes Navigator ask it.
    pub(crate) fn identity() -> String {
        format!(
            "[identity]\nmode = 'keystone'\n\n[identity.keystone]\nauth_url = '{URL}'\n\
             username = 'neutron'\npassword = '{SERVICE_PASSWORD}'\n\n"
        )
    }
}

const BOOTSTRAP: [&str; 17] = [
    "bootstrap",
    "--bootstrap-username",
    "admin",
    "--bootstrap-password",
    PASSWORD,
    "--bootstrap-project-name",
    "admin",
    "--bootstrap-role-name",
    "admin",
    "--bootstrap-service-name",
    "keystone",
    "--bootstrap-region-id",
    "RegionOne",
    "--bootstrap-public-url",
    "http://127.0.0.1:5000/v3",
    "--bootstrap-internal-url",
    "http://127.0.0.1:5000/v3",
];

fn configuration(start: &Start<'_>, database: &str) -> String {
    // SQLAlchemy names its driver, and finds the socket by the same parameter.
    let database = database.replacen("postgres://", "postgresql+psycopg2://", 1);
    let database = database.replacen("@localhost/", "@/", 1);
    let (fernet, credential) = (start.path("fernet"), start.path("credential"));
    format!(
        "[DEFAULT]
use_stderr = true
max_token_size = 255
[database]
connection = {database}
[identity]
password_hash_rounds = 4
[token]
provider = fernet
expiration = 14400
[fernet_tokens]
key_repository = {fernet}
[credential]
key_repository = {credential}
[cache]
enabled = true
backend = dogpile.cache.memory
"
    )
}

/// Navigator's own command makes the service's account, for both.
fn register(host: &Host, start: &Start<'_>) -> anyhow::Result<()> {
    let file = start.path("navigator.toml");
    fs::write(&file, Keystone::identity())?;
    let mut command = Command::new(navigator::binary());
    command.args(["keystone", "register", "--config", &file, "--url", "http://127.0.0.1:9696"]);
    unaware(&mut command)
        .env("OS_AUTH_URL", URL)
        .env("OS_USERNAME", "admin")
        .env("OS_PASSWORD", PASSWORD)
        .env("OS_PROJECT_NAME", "admin");
    let log = fs::File::create(start.dir.join("register.log"))?;
    let process = host.process(command.stdout(log.try_clone()?).stderr(log))?;
    let status = process.wait_timeout(START_LIMIT)?;
    anyhow::ensure!(status.success(), "{}", last_lines(&start.dir.join("register.log")));
    Ok(())
}

fn log_in(host: &Host) -> anyhow::Result<(String, String)> {
    let domain = json!({"id": "default"});
    let body = json!({"auth": {
        "identity": {"methods": ["password"], "password": {
            "user": {"name": "admin", "domain": domain, "password": PASSWORD}}},
        "scope": {"project": {"name": "admin", "domain": domain}}}});
    let text = body.to_string();
    let answer = Api::new(host, loopback(PORT)).request("POST", "/v3/auth/tokens", Some(&text))?;
    anyhow::ensure!(answer.status == 201, "Keystone: {} {}", answer.status, answer.text());
    let token = answer.header("x-subject-token").context("a token")?.to_owned();
    let project =
        answer.json()?["token"]["project"]["id"].as_str().context("a project")?.to_owned();
    Ok((token, project))
}
