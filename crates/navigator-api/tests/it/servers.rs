//! Servers on one PostgreSQL: what one of them changes, agents of the other hear of at once. Nobody
//! resyncs by a timer here, so what is heard has come from server to server.

use std::time::Duration;

use futures::{StreamExt as _, stream::BoxStream};
use navigator_bus::{ControlPlane as _, Wakeup};
use navigator_store::Store;
use navigator_testkit::Postgres;
use serde_json::{Value, json};
use tokio::{task::AbortHandle, time::timeout};

use crate::cloud::{Cloud, HOST, text};

/// Far beyond what it takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A server that talks to the others until it is dropped.
struct Server {
    cloud: Cloud,
    talking: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.talking.abort();
    }
}

impl Server {
    async fn start(url: &str) -> Self {
        let cloud = Cloud::at(url).await;
        let told = navigator_api::tell_servers(cloud.store.clone(), cloud.hub.clone());
        Self { talking: tokio::spawn(told).abort_handle(), cloud }
    }

    async fn agent(&self) -> BoxStream<'static, Wakeup> {
        self.cloud.plane.wakeups(&HOST.into()).await.unwrap()
    }

    async fn network(&self) -> Value {
        self.cloud.create("alice", "networks", "network", json!({})).await
    }
}

/// Makes networks at one server until the agent of the other hears of one at once; meanwhile its stream
/// may end, since the two have yet to hear of each other, and what was not told is found by comparing.
async fn hears(here: &Server, there: &Server) {
    let hearing = async {
        loop {
            let mut agent = there.agent().await;
            let made = format!("network/{}", text(&here.network().await["id"]));
            let told = async {
                while let Some(wakeup) = agent.next().await {
                    if wakeup.scope.to_string() == made {
                        return true;
                    }
                }
                false
            };
            if timeout(Duration::from_secs(2), told).await == Ok(true) {
                return;
            }
        }
    };
    timeout(LIMIT, hearing).await.expect("heard of nothing");
}

#[tokio::test]
async fn agents_hear_what_another_server_changed() {
    let url = Postgres::shared().database();
    let (first, second) = (Server::start(&url).await, Server::start(&url).await);
    hears(&first, &second).await;
    hears(&second, &first).await;
    // Both know each other now: nothing has to be tried twice.
    let mut agent = second.agent().await;
    for _ in 0..300 {
        let made = format!("network/{}", text(&first.network().await["id"]));
        let heard = timeout(LIMIT, agent.next()).await.expect("told").expect("the stream goes on");
        assert_eq!(heard.scope.to_string(), made);
    }
}

#[tokio::test]
async fn agents_compare_when_servers_meet_and_when_a_server_heard_nothing_for_a_while() {
    let url = Postgres::shared().database();
    let first = Server::start(&url).await;
    let mut agent = first.agent().await;
    let second = Server::start(&url).await;
    assert_eq!(timeout(LIMIT, agent.next()).await, Ok(None), "they have met");
    hears(&second, &first).await;
    hears(&first, &second).await;

    let [mut here, mut there] = [first.agent().await, second.agent().await];
    let name = url.split('?').next().unwrap().rsplit('/').next().unwrap();
    let cut = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = '{name}' AND query LIKE 'LISTEN%'"
    );
    assert_eq!(Postgres::shared().sql("postgres", &cut).lines().count(), 2);
    for agent in [&mut here, &mut there] {
        assert_eq!(timeout(LIMIT, agent.next()).await, Ok(None));
    }
    hears(&second, &first).await;
    hears(&first, &second).await;
}

#[tokio::test]
async fn a_server_alone_tells_nothing() {
    let url = Postgres::shared().database();
    let alone = Server::start(&url).await;
    let ear = Store::connect(&url).await.unwrap();
    let mut ear = ear.listen().await.unwrap().expect("PostgreSQL");
    alone.network().await;
    // What somebody says last is heard last.
    alone.cloud.store.notify("the end").await.unwrap();
    loop {
        let heard = timeout(LIMIT, ear.next()).await.unwrap().unwrap();
        if heard == "the end" {
            break;
        }
        assert!(heard.ends_with(" here"), "{heard}");
    }
}

#[tokio::test]
async fn a_file_has_one_server() {
    let cloud = Cloud::new().await;
    assert!(cloud.store.listen().await.unwrap().is_none());
}
