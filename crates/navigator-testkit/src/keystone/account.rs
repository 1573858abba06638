//! A cloud's Keystone as tests use it: users, projects and roles of a test's own, made over the API,
//! so that the same test runs against the fake and against a real one.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use navigator_lab::Namespaces;
use serde_json::{Value, json};

use super::{Keystone, Trials, Trouble, front::Front, world};

/// Names a real Keystone (`http://127.0.0.1:5000`) whose administrator is `admin` of project
/// `admin`, with the password in NAVIGATOR_TEST_KEYSTONE_PASSWORD (`secret` without it).
const REAL: &str = "NAVIGATOR_TEST_KEYSTONE";

/// Names a second Keystone with the same database and keys, whose tokens last [`BRIEF_S`].
const REAL_BRIEF: &str = "NAVIGATOR_TEST_KEYSTONE_BRIEF";
const BRIEF_S: i64 = 5;

/// How long tokens are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// Hours.
    Usual,
    /// Five seconds.
    Briefly,
}

enum Kind {
    Fake(Keystone),
    Real { front: Front, url: String },
}

/// A Keystone and its administrator.
pub struct Cloud {
    /// `http://host:port`
    pub url: String,
    kind: Kind,
    /// Where it is reached from, if not from here.
    from: Option<Namespaces>,
    password: String,
    admin: String,
}

/// A user, with the password of its name, and where it has its roles.
#[derive(Clone, Debug)]
pub struct Account {
    pub user: String,
    pub name: String,
    pub project: String,
    pub project_name: String,
}

impl Cloud {
    /// The real one that the environment names, else the fake.
    pub fn at_hand() -> Self {
        match std::env::var(REAL) {
            Ok(url) => {
                let front = Front::start(&url);
                Self::of(front.url(), Kind::Real { front, url }, None)
            }
            Err(_) => Self::fake(),
        }
    }

    /// The fake, for what cannot be asked of a real one: a time long ago.
    pub fn fake() -> Self {
        let keystone = Keystone::start();
        Self::of(keystone.url(), Kind::Fake(keystone), None)
    }

    /// A fake on the loopback of a host.
    pub fn inside(host: &Namespaces) -> Self {
        let listener = host.thread(|| TcpListener::bind("127.0.0.1:5000")).expect("a host");
        let keystone = Keystone::start_on(listener.expect("a free port"));
        Self::of(keystone.url(), Kind::Fake(keystone), Some(host.clone()))
    }

    /// The administrator, whose password is not its name.
    pub fn administrator(&self) -> Account {
        let token = [("X-Auth-Token", self.admin.as_str()), ("X-Subject-Token", &self.admin)];
        let said = self.send("GET", "/auth/tokens", &token, None).expect(200);
        let text = |pointer| said.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        Account {
            user: text("/token/user/id").to_owned(),
            name: text("/token/user/name").to_owned(),
            project: text("/token/project/id").to_owned(),
            project_name: text("/token/project/name").to_owned(),
        }
    }

    /// The administrator's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Every other password is the user's name.
    pub fn password_of<'a>(&'a self, account: &'a Account) -> &'a str {
        if account.name == "admin" { &self.password } else { &account.name }
    }

    /// The administrator's token.
    pub fn admin_token(&self) -> &str {
        &self.admin
    }

    fn of(url: String, kind: Kind, from: Option<Namespaces>) -> Self {
        let named = std::env::var("NAVIGATOR_TEST_KEYSTONE_PASSWORD").ok();
        let real = matches!(kind, Kind::Real { .. });
        let password = named.filter(|_| real).unwrap_or_else(|| "secret".to_owned());
        let mut cloud = Self { url, kind, from, password, admin: String::new() };
        let scope = json!({"project": {"name": "admin", "domain": {"id": "default"}}});
        cloud.admin = cloud.token("admin", &cloud.password.clone(), &scope).expect("administrator");
        cloud
    }

    fn trials(&self) -> &Trials {
        match &self.kind {
            Kind::Fake(keystone) => keystone.trials(),
            Kind::Real { front, .. } => front.trials(),
        }
    }

    /// From now on this is wrong with it.
    pub fn trouble(&self, trouble: Trouble) {
        self.trials().set(trouble);
    }

    /// How often it was asked about a token.
    pub fn validations(&self) -> usize {
        self.trials().validations()
    }

    /// How long tokens are good that are given out from now on.
    pub fn let_tokens_last(&self, lasting: Lasting) {
        match (&self.kind, lasting) {
            (Kind::Fake(keystone), Lasting::Usual) => keystone.let_tokens_last(3600),
            (Kind::Fake(keystone), Lasting::Briefly) => keystone.let_tokens_last(BRIEF_S),
            (Kind::Real { front, url }, Lasting::Usual) => front.lead_to(url),
            (Kind::Real { front, .. }, Lasting::Briefly) => {
                let url = std::env::var(REAL_BRIEF);
                front.lead_to(&url.unwrap_or_else(|_| panic!("{REAL_BRIEF} is needed too")));
            }
        }
    }

    /// A token of the account in its project that ends this many seconds from now, or ended before
    /// now if it is negative. With a real Keystone this takes until then.
    pub fn log_in_until(&self, account: &Account, in_s: i64) -> String {
        if let Kind::Fake(keystone) = &self.kind {
            let token = self.log_in(account);
            keystone.expire(&token, in_s);
            return token;
        }
        assert!(in_s < BRIEF_S, "a token that is good for {in_s} s");
        self.let_tokens_last(Lasting::Briefly);
        let token = self.log_in(account);
        self.let_tokens_last(Lasting::Usual);
        let asked = [("X-Auth-Token", self.admin.as_str()), ("X-Subject-Token", token.as_str())];
        let shown = self.send("GET", "/auth/tokens", &asked, None).expect(200);
        let ends: Timestamp =
            shown["token"]["expires_at"].as_str().expect("a time").parse().expect("a time");
        let until = ends + SignedDuration::from_secs(-in_s);
        let wait = Duration::try_from(until.duration_since(Timestamp::now()));
        std::thread::sleep(wait.unwrap_or_default());
        token
    }

    /// Forgets every token of a user.
    pub fn forget_tokens_of(&self, account: &Account) {
        match &self.kind {
            Kind::Fake(keystone) => keystone.forget_tokens_of(&account.name),
            Kind::Real { .. } => {
                let same = json!({"user": {"password": account.name}});
                self.call("PATCH", &format!("/users/{}", account.user), Some(same)).expect(200);
                // What it gives out within this second is taken for older.
                std::thread::sleep(Duration::from_millis(1100));
            }
        }
    }

    /// A user with these roles in a project of its own. Names are new each time.
    pub fn account(&self, roles: &[&str]) -> Account {
        let name = format!("test-{}", world::id());
        let project_name = format!("project-{name}");
        let project = json!({"name": project_name, "domain_id": "default"});
        let project = self.make("project", project);
        let user = json!({"name": name, "domain_id": "default", "password": name});
        let account = Account { user: self.make("user", user), name, project, project_name };
        for role in roles {
            let path = self.role_path(&account, role);
            self.call("PUT", &path, None).expect(204);
        }
        account
    }

    fn make(&self, kind: &str, object: Value) -> String {
        let answer = self.call("POST", &format!("/{kind}s"), Some(json!({ kind: object })));
        answer.expect(201)[kind]["id"].as_str().expect("an id").to_owned()
    }

    fn role(&self, name: &str) -> String {
        let answer = self.call("GET", &format!("/roles?name={name}"), None).expect(200);
        answer["roles"][0]["id"]
            .as_str()
            .map_or_else(|| self.make("role", json!({ "name": name })), str::to_owned)
    }

    /// Of a role in the account's project.
    pub fn role_path(&self, account: &Account, role: &str) -> String {
        let Account { user, project, .. } = account;
        format!("/projects/{project}/users/{user}/roles/{}", self.role(role))
    }

    /// As the administrator.
    pub fn call(&self, method: &str, path: &str, body: Option<Value>) -> Said {
        self.send(method, path, &[("X-Auth-Token", &self.admin)], body)
    }

    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Said {
        let host = self.url.trim_start_matches("http://").to_owned();
        let connect = || TcpStream::connect(&host);
        let stream = match &self.from {
            Some(from) => from.thread(connect).expect("a host"),
            None => connect(),
        };
        let stream = stream.expect("Keystone listens");
        exchange((&host, stream), method, &format!("/v3{path}"), headers, body)
    }

    /// A token of the account in its project.
    pub fn log_in(&self, account: &Account) -> String {
        let scope = json!({"project": {"id": account.project}});
        self.token(&account.name, &account.name, &scope).expect("a token")
    }

    /// A token by password for a scope; the status where there is none.
    pub fn token(&self, name: &str, password: &str, scope: &Value) -> Result<String, u16> {
        let user = json!({"name": name, "password": password, "domain": {"id": "default"}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        self.authenticate(&identity, Some(scope))
    }

    pub fn authenticate(&self, identity: &Value, scope: Option<&Value>) -> Result<String, u16> {
        let mut auth = json!({ "identity": identity });
        if let Some(scope) = scope {
            auth["scope"] = scope.clone();
        }
        let said = self.send("POST", "/auth/tokens", &[], Some(json!({ "auth": auth })));
        said.header("x-subject-token").map(str::to_owned).ok_or(said.status)
    }

    pub fn revoke(&self, token: &str) {
        let headers = [("X-Auth-Token", self.admin.as_str()), ("X-Subject-Token", token)];
        self.send("DELETE", "/auth/tokens", &headers, None).expect(204);
    }
}

/// An answer of Keystone's.
#[derive(Debug)]
pub struct Said {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Value,
}

impl Said {
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn exchange(
    (host, mut stream): (&str, TcpStream),
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Said {
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let length = body.len();
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n"
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    Said { status: status.parse().expect("a number"), headers, body }
}
