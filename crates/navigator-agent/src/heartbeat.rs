//! Says to the server that this host's roles are alive, in the strings of Neutron's agents, because
//! clients select agents by them. Starts again quickly when the server could not be told.

use std::{sync::Arc, time::Duration};

use navigator_bus::ControlPlane;
use navigator_model::{Heartbeat, report::AgentRole};
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    AgentConfig, Role,
    backoff::{Backoff, jittered},
};

/// Beats until dropped. `on_first` is told when the first beat has
/// been sent, with or without success.
pub(crate) async fn run(
    server: Arc<dyn ControlPlane>,
    config: Arc<AgentConfig>,
    on_first: oneshot::Sender<()>,
) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    let (mut on_first, mut started) = (Some(on_first), true);
    loop {
        let beaten = server.heartbeat(heartbeat(&config, started)).await;
        // Nobody waits any longer when the first beat took its time.
        let _ = on_first.take().map(|sender| sender.send(()));
        let pause = match beaten {
            Ok(()) => {
                started = false;
                backoff.reset();
                jittered(config.heartbeat_interval(), 0.1)
            }
            Err(error) => {
                tracing::warn!(%error, "heartbeat failed");
                backoff.next()
            }
        };
        tokio::time::sleep(pause).await;
    }
}

fn heartbeat(config: &AgentConfig, started: bool) -> Heartbeat {
    Heartbeat {
        host: config.host.clone(),
        availability_zone: config.availability_zone.clone(),
        roles: config.roles.iter().map(|role| agent_role(*role, config)).collect(),
        started,
    }
}

fn agent_role(role: Role, config: &AgentConfig) -> AgentRole {
    let (agent_type, binary, topic, configurations) = match role {
        Role::L2 => (
            "Linux bridge agent",
            "neutron-linuxbridge-agent",
            "N/A",
            json!({
                "bridge_mappings": config.bridge_mappings,
                "interface_mappings": config.bridge_mappings,
                "tunnel_types": tunnel_types(config),
                "tunneling_ip": config.tunnel_ip,
                "tunnel_ip": config.tunnel_ip,
                "l2_population": true,
                "extensions": [],
            }),
        ),
        Role::L3 => (
            "L3 agent",
            "neutron-l3-agent",
            "l3_agent",
            json!({
                "agent_mode": "legacy",
                "handle_internal_only_routers": true,
                "interface_driver": "linuxbridge",
                "extensions": ["port_forwarding"],
            }),
        ),
        Role::Dhcp => (
            "DHCP agent",
            "neutron-dhcp-agent",
            "dhcp_agent",
            json!({
                "dhcp_driver": "dnsmasq",
                "dhcp_lease_duration": config.dhcp_lease_duration_s,
            }),
        ),
    };
    AgentRole {
        agent_type: agent_type.to_owned(),
        binary: binary.to_owned(),
        topic: topic.to_owned(),
        configurations,
    }
}

fn tunnel_types(config: &AgentConfig) -> Vec<&'static str> {
    config.tunnel_ip.map(|_| "vxlan").into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_speak_in_the_names_of_neutrons_agents() {
        let config = AgentConfig {
            bridge_mappings: [("external".to_owned(), "ext0".to_owned())].into(),
            tunnel_ip: Some([198, 51, 100, 1].into()),
            ..AgentConfig::default()
        };
        let roles = heartbeat(&config, true).roles;
        let names: Vec<_> = roles.iter().map(|r| (&*r.agent_type, &*r.binary, &*r.topic)).collect();
        let expected = [
            ("Linux bridge agent", "neutron-linuxbridge-agent", "N/A"),
            ("L3 agent", "neutron-l3-agent", "l3_agent"),
            ("DHCP agent", "neutron-dhcp-agent", "dhcp_agent"),
        ];
        assert_eq!(names, expected);
        assert_eq!(roles[0].configurations["bridge_mappings"]["external"], "ext0");
        assert_eq!(roles[0].configurations["tunnel_ip"], "198.51.100.1");
        assert_eq!(roles[0].configurations["tunnel_types"][0], "vxlan");
    }
}
