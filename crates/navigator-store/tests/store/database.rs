//! A database of its own for each test: an SQLite file, or a PostgreSQL cluster in a temporary
//! directory that stops and vanishes with the test, also when the test panics or is killed.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use navigator_store::Store;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

pub(crate) struct Database {
    directory: TempDir,
    server: Option<Child>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self { directory: TempDir::new().unwrap(), server: None }
    }

    pub(crate) fn postgres() -> Self {
        let directory = TempDir::new().unwrap();
        let data = directory.path().join("data");
        give_to_postgres(directory.path());
        let made = as_postgres("initdb", &directory, None)
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--username=postgres", "--pgdata"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut database = Self { directory, server: None };
        database.start();
        database
    }

    pub(crate) fn start(&mut self) {
        // Ends with this thread, should it be killed.
        let server = as_postgres("postgres", &self.directory, Some("INT"))
            .arg("-D")
            .arg(self.directory.path().join("data"))
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"])
            .args(["-c", "shared_buffers=16MB", "-c", "deadlock_timeout=100ms"])
            .arg("-k")
            .arg(self.directory.path())
            .spawn()
            .unwrap();
        self.server = Some(server);
        self.wait();
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Only its own postmaster, by pid: immediate shutdown is SIGQUIT, and it ends its
            // children itself.
            let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
            let _ = server.wait();
        }
    }

    /// To the server and all of its processes, each by its pid.
    pub(crate) fn signal(&self, name: &str) {
        let server = self.server.as_ref().unwrap().id().to_string();
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        let children = children.unwrap();
        let send = |pid: &str| {
            Command::new("kill").args([format!("-{name}").as_str(), pid]).status().unwrap()
        };
        for child in children.split_whitespace() {
            // It may have ended meanwhile.
            send(child);
        }
        assert!(send(&server).success());
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let ready = || {
            let mut command = Command::new(program("pg_isready"));
            let asked = command.arg("-h").arg(self.directory.path()).stdout(Stdio::null()).status();
            asked.unwrap().success()
        };
        while !ready() {
            assert!(Instant::now() < deadline, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.server.is_some()
    }

    pub(crate) fn url(&self) -> String {
        let directory = self.directory.path().display();
        match self.server {
            None => format!("sqlite:{directory}/navigator.sqlite"),
            Some(_) => format!("postgres://postgres@localhost/postgres?host={directory}"),
        }
    }

    /// Another server of the same database.
    pub(crate) async fn connect(&self) -> Store {
        Store::connect(&self.url()).await.unwrap()
    }

    /// A statement behind the store's back.
    pub(crate) async fn execute(&self, text: &'static str) {
        if self.is_postgres() {
            let mut connection = PgConnection::connect(&self.url()).await.unwrap();
            sqlx::query(text).execute(&mut connection).await.unwrap();
        } else {
            let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
            sqlx::query(text).execute(&mut connection).await.unwrap();
        }
    }

    /// Number of rows of a table that is no resource's.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let text = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        if self.is_postgres() {
            let mut connection = PgConnection::connect(&self.url()).await.unwrap();
            return sqlx::query_scalar(text).fetch_one(&mut connection).await.unwrap();
        }
        let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
        sqlx::query_scalar(text).fetch_one(&mut connection).await.unwrap()
    }

    pub(crate) async fn migrated(&self) -> Store {
        let store = self.connect().await;
        store.migrate().await.unwrap();
        store
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Debian keeps every version apart.
fn program(name: &str) -> PathBuf {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
        .filter(|path| path.exists())
        .collect();
    versions.sort();
    versions.pop().expect("these tests need PostgreSQL: install the package postgresql")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// PostgreSQL refuses to run as root.
fn as_postgres(name: &str, directory: &TempDir, death_signal: Option<&str>) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        command.args(death_signal.map(|signal| format!("--pdeathsig={signal}")));
        command.arg("--").arg(program(name));
        command
    } else {
        Command::new(program(name))
    };
    command.current_dir(directory.path()).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn give_to_postgres(directory: &Path) {
    if is_root() {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|line| line.starts_with("postgres:"));
        let line = line.expect("a user postgres: install the package postgresql");
        let uid = line.split(':').nth(2).unwrap().parse().unwrap();
        chown(directory, Some(uid), None).unwrap();
    }
}
