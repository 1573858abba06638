//! Everybody who asks, with the tokens that the Keystone of the tests gave them, and what the words
//! of `published.txt` mean for them and an object.

use std::collections::BTreeSet;

use navigator_testkit::keystone::{Account, Cloud as Keystone};
use serde_json::{Value, json};

pub(super) struct Person {
    pub(super) name: &'static str,
    /// `None`: no token at all.
    pub(super) token: Option<String>,
    pub(super) roles: BTreeSet<&'static str>,
    /// `None`: of a domain, or of the whole system.
    pub(super) project: Option<String>,
}

/// With whom an object's owner shares it.
#[derive(Clone, Debug)]
pub(super) enum Share {
    Nobody,
    With(String),
    Everybody,
}

/// An object, as far as rules look at it. The site around it has one owner.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) owner: Option<String>,
    /// Of the network, the parent, the group that it belongs to.
    pub(super) around: Option<String>,
    pub(super) share: Share,
    pub(super) external: bool,
    /// `compute` of `compute:nova`.
    pub(super) device: String,
    /// An RBAC policy for every project.
    pub(super) to_all: bool,
}

impl Facts {
    /// Nothing is said of an object.
    pub(super) fn none() -> Self {
        Self {
            owner: None,
            around: None,
            share: Share::Nobody,
            external: false,
            device: String::new(),
            to_all: false,
        }
    }

    pub(super) fn of(owner: Option<&str>) -> Self {
        let owner = owner.map(str::to_owned);
        Self { around: owner.clone(), owner, ..Self::none() }
    }

    /// As a request says it.
    pub(super) fn with(mut self, said: &Value) -> Self {
        if let Some(owner) = said["device_owner"].as_str() {
            self.device = owner.split(':').next().unwrap_or_default().to_owned();
        }
        self.to_all = said["target_tenant"] == "*";
        self
    }
}

impl Person {
    pub(super) fn holds(&self, word: &str, facts: &Facts) -> bool {
        match word {
            "own" => facts.owner.is_some() && facts.owner == self.project,
            "network" | "parent" | "group" => {
                facts.around.is_some() && facts.around == self.project
            }
            "shared" => match &facts.share {
                Share::Nobody => false,
                Share::With(project) => self.project.as_ref() == Some(project),
                Share::Everybody => true,
            },
            "external" => facts.external,
            "to-all" => facts.to_all,
            "of-default-group" => false,
            word => match word.strip_prefix("device-") {
                Some(device) => facts.device == device,
                None => self.roles.contains(word),
            },
        }
    }
}

/// Of the first project, of another one, of none.
pub(super) struct People {
    pub(super) all: Vec<Person>,
    /// The project that most cells are about, and another one whose objects are foreign.
    pub(super) own: String,
    pub(super) third: String,
}

/// A role with those that it implies.
fn implied(role: &'static str) -> BTreeSet<&'static str> {
    let ladder = ["reader", "member", "manager", "admin"];
    match ladder.iter().position(|known| *known == role) {
        Some(upto) => ladder[..=upto].iter().copied().collect(),
        None => BTreeSet::from([role]),
    }
}

struct Hall<'a> {
    keystone: &'a Keystone,
    all: Vec<Person>,
}

impl Hall<'_> {
    fn enter(
        &mut self,
        name: &'static str,
        token: String,
        role: &'static str,
        project: Option<&str>,
    ) {
        let project = project.map(str::to_owned);
        self.all.push(Person { name, token: Some(token), roles: implied(role), project });
    }

    /// In the project of an account, if it is given one.
    fn in_project(
        &mut self,
        name: &'static str,
        role: &'static str,
        of: Option<&Account>,
    ) -> Account {
        let mut account = self.keystone.account(&[]);
        if let Some(of) = of {
            account = Account {
                project: of.project.clone(),
                project_name: of.project_name.clone(),
                ..account
            };
        }
        self.keystone.call("PUT", &self.keystone.role_path(&account, role), None).expect(204);
        let token = self.keystone.log_in(&account);
        self.enter(name, token, role, Some(&account.project));
        account
    }

    /// Where no project is.
    fn elsewhere(&mut self, name: &'static str, role: &'static str, system: bool) {
        let account = self.keystone.account(&[]);
        let path = self.keystone.role_path(&account, role);
        let role_id = path.rsplit('/').next().unwrap();
        let of = if system { "system" } else { "domains/default" };
        let grant = format!("/{of}/users/{}/roles/{role_id}", account.user);
        self.keystone.call("PUT", &grant, None).expect(204);
        let scope = match system {
            true => json!({"system": {"all": true}}),
            false => json!({"domain": {"id": "default"}}),
        };
        let token = self.keystone.token(&account.name, &account.name, &scope).unwrap();
        self.enter(name, token, role, None);
    }
}

impl People {
    pub(super) fn of(keystone: &Keystone) -> Self {
        let nobody = Person { name: "nobody", token: None, roles: BTreeSet::new(), project: None };
        let mut hall = Hall { keystone, all: vec![nobody] };
        let own = hall.in_project("manager", "manager", None);
        hall.in_project("member", "member", Some(&own));
        hall.in_project("reader", "reader", Some(&own));
        hall.in_project("roleless", "auditor", Some(&own));
        hall.in_project("admin", "admin", None);
        hall.in_project("service", "service", None);
        let other = hall.in_project("other member", "member", None);
        hall.in_project("other reader", "reader", Some(&other));
        let third = hall.in_project("third manager", "manager", None);
        hall.elsewhere("domain reader", "reader", false);
        hall.elsewhere("domain member", "member", false);
        hall.elsewhere("system reader", "reader", true);
        hall.elsewhere("system admin", "admin", true);
        Self { all: hall.all, own: own.project, third: third.project }
    }

    pub(super) fn called(&self, name: &str) -> &Person {
        self.all.iter().find(|person| person.name == name).expect("a person of this name")
    }
}
