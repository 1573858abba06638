//! The agent is killed again and again while forwards come, change and go.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use navigator_testkit::{
    Api, Navigator, Site,
    cloud::{self, API, Hosts},
};
use serde_json::{Value, json};

use crate::world::{self, World};

const KILLS: u32 = 20;

/// Far more than any noise of the machine, far less than a connection that waits for a repair.
const GAP_LIMIT_MS: u64 = 2_000;

#[test]
fn no_connection_notices_that_the_agent_is_killed() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let config = hosts.config();
    let server = Navigator::start(&hosts.node, "server", &config, API);
    let mut agent = Navigator::start(&hosts.node, "agent", &config, API);
    let world = World::make(&site, &hosts, &mut server.api());

    let traffic = world.start_traffic(&hosts);
    thread::sleep(Duration::from_secs(1));
    let calm = world::stop(traffic);

    let traffic = world.start_traffic(&hosts);
    let (stop, changes) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| change_forwards(&world, &mut server.api(), &stop, &changes));
        let mut random = Random::seeded();
        for _ in 0..KILLS {
            // From before it has read its configuration to long after it has caught up.
            thread::sleep(Duration::from_millis(random.below(300)));
            agent.kill9();
            agent.launch();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let wanted = count(&world, &mut server.api());
    let converged = cloud::eventually("the kernel has what the server says", || {
        let found = world.elements(&hosts);
        if found == wanted { Ok(()) } else { Err(format!("{found} of {wanted} elements")) }
    });
    let ledger = world::stop(traffic);
    println!(
        "T1: {KILLS} kills amid {} changes, converged {} ms after the last; {ledger}; longest gap \
         without kills {} ms",
        changes.load(Ordering::Relaxed),
        converged.as_millis(),
        calm.longest_gap_ms
    );
    assert!(calm.is_clean(), "without any kill: {calm}");
    assert!(ledger.is_clean(), "{ledger}");
    assert!(ledger.longest_gap_ms < GAP_LIMIT_MS, "{ledger}");
}

fn count(world: &World, api: &mut Api) -> usize {
    let answer = cloud::call(api, 200, "GET", &world.tenant.gateway_forwards(), None);
    answer["gateway_port_forwardings"].as_array().map_or(0, Vec::len)
}

/// Creates, retargets and deletes other forwards until told to stop; some stay.
fn change_forwards(world: &World, api: &mut Api, stop: &AtomicBool, changes: &AtomicU64) {
    let collection = world.tenant.gateway_forwards();
    for n in 0_u16.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let forward = json!({
            "external_port": 20_000 + n, "internal_port": 20_000 + n, "protocol": "udp",
            "internal_port_id": world.web.port, "internal_ip_address": world.web.ip});
        let forward = world.tenant.forward(api, forward);
        let path = format!("{collection}/{}", cloud::text(&forward, "/id"));
        let change = json!({"gateway_port_forwarding": {"internal_port": 40_000 + n % 20_000}});
        cloud::call(api, 200, "PUT", &path, Some(&change));
        if n % 8 != 0 {
            assert_eq!(cloud::call(api, 204, "DELETE", &path, None), Value::Null);
        }
        changes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Small, and enough to hit any moment. Says its seed.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = now.unwrap().as_nanos() as u64 | 1;
        println!("T1: seed {seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
