//! Keystone and Nova behind TLS: who is believed, who is not, and that nobody else hears a password
//! or a token.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::body::Body;
use navigator_api::{Access, Identity, KeystoneConfig, NovaClient, tell_nova};
use navigator_resources::Settings;
use navigator_testkit::{
    FakeNova,
    keystone::{Account, Cloud as Keystone},
    nova::TOKEN,
    tls::{Authority, Issued, TlsFront, Validity},
};
use navigator_tls::TlsOptions;
use serde_json::json;

use super::config;
use crate::cloud::{Answer, Backend, Cloud, request, text};

const SERVER: &str = "2f6ff2c2-9f3b-4dd6-8a39-0d4d6ac0cd11";

fn address(url: &str) -> SocketAddr {
    let host = url.strip_prefix("http://").unwrap();
    host.split('/').next().unwrap().parse().unwrap()
}

/// A Keystone, and somebody whom it knows.
struct World {
    keystone: Keystone,
    service: Account,
    token: String,
    authority: Authority,
    /// By those who made the accounts.
    asked_before: usize,
}

impl World {
    fn new() -> Self {
        let keystone = Keystone::fake();
        let service = keystone.account(&["service"]);
        let token = keystone.log_in(&keystone.account(&["member"]));
        let asked_before = keystone.validations();
        let authority = Authority::new("the cloud's");
        Self { keystone, service, token, authority, asked_before }
    }

    /// What Keystone was asked so far.
    fn validations(&self) -> usize {
        self.keystone.validations() - self.asked_before
    }

    fn front(&self, shown: &Issued, clients: Option<&Authority>) -> TlsFront {
        TlsFront::start(address(&self.keystone.url), shown, clients, &["http/1.1"])
    }

    /// As the server of the configuration that `more` makes of the usual one.
    async fn list(
        &self,
        front: &TlsFront,
        more: impl FnOnce(KeystoneConfig) -> KeystoneConfig,
    ) -> Answer {
        let usual = KeystoneConfig {
            auth_url: format!("https://127.0.0.1:{}", front.port()),
            ..config(&self.keystone, &self.service, 0)
        };
        let identity = Identity::keystone(&more(usual)).unwrap();
        let cloud = Cloud::asking(Backend::Sqlite, identity).await;
        let request = request("nobody", "GET", "/v2.0/networks");
        cloud.send(request.header("x-auth-token", &self.token).body(Body::empty()).unwrap()).await
    }
}

fn trusting(file: PathBuf) -> impl FnOnce(KeystoneConfig) -> KeystoneConfig {
    move |usual| KeystoneConfig { cafile: file, ..usual }
}

#[tokio::test]
async fn keystone_is_believed_where_the_named_authority_vouches_for_it() {
    let world = World::new();
    let front = world.front(&world.authority.issue(&["127.0.0.1"], Validity::Now), None);
    world.list(&front, trusting(world.authority.file())).await.expect(200);
    assert!(front.handshakes() > 0 && world.validations() == 1);
}

/// CVE-2014-7144: `insecure` that was not asked for. A Keystone with a certificate that is not good
/// hears nothing: neither the service's password nor the user's token.
#[tokio::test]
async fn sec_cve_2014_7144_a_keystone_that_nobody_vouches_for_is_not_asked() {
    let world = World::new();
    let stranger = Authority::new("somebody");
    let bad = [
        ("of an authority that is not trusted", stranger.issue(&["127.0.0.1"], Validity::Now)),
        ("of another name", world.authority.issue(&["keystone.example"], Validity::Now)),
        ("over", world.authority.issue(&["127.0.0.1"], Validity::Over)),
    ];
    for (what, shown) in &bad {
        let front = world.front(shown, None);
        let answer = world.list(&front, trusting(world.authority.file())).await;
        answer.refused(503, "ServiceUnavailable");
        assert_eq!((front.handshakes(), world.validations()), (0, 0), "{what}");
    }
    // Nor one whose authority the system does not know, where none was named.
    let front = world.front(&world.authority.issue(&["127.0.0.1"], Validity::Now), None);
    world.list(&front, |usual| usual).await.refused(503, "ServiceUnavailable");
    assert_eq!((front.handshakes(), world.validations()), (0, 0));

    // Who wants it gets it.
    for (count, (what, shown)) in bad.iter().enumerate() {
        let front = world.front(shown, None);
        let insecure = |usual| KeystoneConfig { insecure: true, ..usual };
        world.list(&front, insecure).await.expect(200);
        assert_eq!(world.validations(), count + 1, "{what}");
    }
}

#[tokio::test]
async fn a_keystone_that_wants_a_certificate_is_shown_ours() {
    let world = World::new();
    let clients = Authority::new("of servers");
    let front = world.front(&world.authority.issue(&["127.0.0.1"], Validity::Now), Some(&clients));
    let file = world.authority.file();
    world.list(&front, trusting(file.clone())).await.refused(503, "ServiceUnavailable");
    assert_eq!(world.validations(), 0);
    let ours = clients.issue(&["neutron"], Validity::Now);
    let with = |usual| KeystoneConfig {
        cafile: file,
        certfile: ours.certificate,
        keyfile: ours.key,
        ..usual
    };
    world.list(&front, with).await.expect(200);
}

#[tokio::test]
async fn nova_is_told_by_tls_only_where_somebody_vouches_for_it() {
    let (authority, nova) = (Authority::new("the cloud's"), FakeNova::start(&[SERVER]).await);
    let shown = authority.issue(&["127.0.0.1"], Validity::Now);
    let front = TlsFront::start(address(nova.endpoint()), &shown, None, &["http/1.1"]);
    let settings = Settings { server_events: true, ..Settings::default() };
    let cloud = Cloud::with(Backend::Sqlite, settings).await;
    let network = cloud.create("admin", "networks", "network", json!({})).await;
    let port = json!({
        "network_id": network["id"], "device_id": SERVER, "device_owner": "compute:nova"});
    let port = cloud.create("admin", "ports", "port", port).await;
    let path = format!("/v2.0/ports/{}", text(&port["id"]));
    let change = json!({"port": { "name": "changed" }});
    cloud.put("admin", &path, &change).await.expect(200);

    let endpoint = format!("https://127.0.0.1:{}/v2.1", front.port());
    let tell = |tls: TlsOptions| {
        let access = Access { endpoint: endpoint.clone(), token: TOKEN.to_owned() };
        let client = NovaClient::new(&endpoint, &tls).unwrap();
        let interval = Duration::from_millis(50);
        tokio::spawn(tell_nova(cloud.store.clone(), Arc::new(access), client, interval))
    };
    let unknown = tell(TlsOptions::default());
    tokio::time::sleep(Duration::from_millis(400)).await;
    unknown.abort();
    assert_eq!((nova.take(), front.handshakes()), (Vec::new(), 0));
    let known = tell(TlsOptions { cafile: authority.file(), ..TlsOptions::default() });
    // Who was stopped while it told keeps the others from it for half a minute.
    let mut told = Vec::new();
    for _ in 0..8 {
        told.extend(nova.wait(1).await);
        if !told.is_empty() {
            break;
        }
    }
    assert_eq!(told.len(), 1);
    known.abort();
}
