//! `navigator keystone register`: everything is made once.

use navigator_api::{Endpoint, KeystoneConfig, Registrar, Registration};
use navigator_testkit::keystone::Cloud as Keystone;
use serde_json::json;

fn administrator(keystone: &Keystone) -> KeystoneConfig {
    KeystoneConfig {
        auth_url: keystone.url.clone(),
        username: "admin".to_owned(),
        password: "secret".to_owned(),
        project_name: "admin".to_owned(),
        ..KeystoneConfig::default()
    }
}

fn registration(url: &str) -> Registration {
    let endpoint = |interface| Endpoint { interface, url: url.to_owned() };
    Registration {
        region: "RegionTwo".to_owned(),
        roles: vec!["service".to_owned(), "admin".to_owned()],
        endpoints: ["public", "internal", "admin"].map(endpoint).to_vec(),
    }
}

#[tokio::test]
async fn a_service_is_registered_once_and_moved_when_its_url_changes() {
    let keystone = Keystone::fake();
    let user = KeystoneConfig {
        auth_url: keystone.url.clone(),
        password: "pass word".to_owned(),
        ..KeystoneConfig::default()
    };
    let register = async |url: &str| {
        let registrar = Registrar::new(&administrator(&keystone)).unwrap();
        registrar.register(&user, &registration(url)).await.unwrap()
    };
    let done = register("http://one:9696").await;
    assert!(done.contains(&"made user neutron".to_owned()), "{done:?}");
    assert_eq!(register("http://one:9696").await, Vec::<String>::new());
    assert_eq!(register("http://two:9696").await.len(), 3);
    let endpoints = keystone.call("GET", "/endpoints", None).expect(200);
    let urls = endpoints["endpoints"].as_array().unwrap().iter().map(|it| it["url"].clone());
    assert_eq!(urls.filter(|url| *url == "http://two:9696").count(), 3);
    // And the account works.
    let scope = json!({"project": {"name": "service", "domain": {"id": "default"}}});
    keystone.token("neutron", "pass word", &scope).unwrap();
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let keystone = Keystone::fake();
    let user = KeystoneConfig { password: "p".to_owned(), ..administrator(&keystone) };
    let wrong = KeystoneConfig { password: "wrong".to_owned(), ..administrator(&keystone) };
    let registrar = Registrar::new(&wrong).unwrap();
    let error = registrar.register(&user, &registration("http://one")).await.unwrap_err();
    assert!(error.to_string().contains("does not let 'admin' in"), "{error}");
    let domainless =
        KeystoneConfig { user_domain_name: "Moon".to_owned(), ..administrator(&keystone) };
    let registrar = Registrar::new(&administrator(&keystone)).unwrap();
    let error = registrar.register(&domainless, &registration("http://one")).await.unwrap_err();
    assert!(error.to_string().contains("no domain 'Moon'"), "{error}");
}
