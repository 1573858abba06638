//! A network scope: the network with its subnets, and every port of it that is on a wire, wherever it
//! is bound.

use std::{collections::BTreeMap, net::IpAddr};

use navigator_model::{
    HostName, NetworkId, Object, ObjectKey, PortId, ProjectId,
    snapshot::{DhcpOption, Network, Port, Segment, Subnet},
};
use navigator_resources::{DecodeError, SqlType, registry::port::FLOATING_IP_OWNER};
use serde_json::Value;

use super::{CHUNK, Objects, Wanted};
use crate::{backend::Tx, decode::Reader, error::StoreError, sql::Sql};

/// Ports of network `$1` that are on host `$2` or may come there.
pub(super) const ON_HOST: &str = "SELECT p.id FROM ports p WHERE p.network_id = $1 \
    AND (p.host_id = $2 OR EXISTS \
    (SELECT 1 FROM port_bindings b WHERE b.port_id = p.id AND b.host = $2)) LIMIT 1";

/// `None` when the network does not exist or has no port on this host.
pub(super) async fn load(
    tx: &mut Tx,
    host: &HostName,
    id: NetworkId,
    wanted: &Wanted,
) -> Result<Option<Objects>, StoreError> {
    if !is_served(tx, host, id).await? {
        return Ok(None);
    }
    let mut objects = Objects::new();
    let key = ObjectKey::Network(id);
    if wanted.includes(&key) {
        let Some(network) = network(tx, id).await? else { return Ok(None) };
        objects.insert(key, Object::Network(network));
    }
    ports(tx, id, wanted, &mut objects).await?;
    Ok(Some(objects))
}

async fn is_served(tx: &mut Tx, host: &HostName, id: NetworkId) -> Result<bool, StoreError> {
    let sql = Sql::with(ON_HOST, [id.to_string().into(), host.0.as_str().into()]);
    Ok(!tx.fetch(sql, &[("id", SqlType::Text)]).await?.is_empty())
}

async fn network(tx: &mut Tx, id: NetworkId) -> Result<Option<Network>, StoreError> {
    let sql = Sql::with(
        "SELECT project_id, admin_state_up, mtu, network_type, physical_network, segmentation_id \
         FROM networks WHERE id = $1",
        [id.to_string().into()],
    );
    let columns = [
        ("project_id", SqlType::Text),
        ("admin_state_up", SqlType::Bool),
        ("mtu", SqlType::Int),
        ("network_type", SqlType::Text),
        ("physical_network", SqlType::Text),
        ("segmentation_id", SqlType::Int),
    ];
    let Some(row) = tx.fetch(sql, &columns).await?.pop() else { return Ok(None) };
    let read = Reader { table: "networks", row: &row };
    Ok(Some(Network {
        id,
        project_id: ProjectId::from(read.text("project_id")),
        admin_state_up: read.flag("admin_state_up"),
        segment: segment(&read)?,
        mtu: read.number("mtu")?,
        subnets: subnets(tx, id).await?,
    }))
}

fn segment(read: &Reader<'_>) -> Result<Segment, DecodeError> {
    let physical_network = read.text("physical_network").to_owned();
    Ok(match read.text("network_type") {
        "local" => Segment::Local,
        "flat" => Segment::Flat { physical_network },
        "vlan" => {
            Segment::Vlan { physical_network, segmentation_id: read.number("segmentation_id")? }
        }
        "gre" => Segment::Gre { segmentation_id: read.number("segmentation_id")? },
        "vxlan" => Segment::Vxlan { segmentation_id: read.number("segmentation_id")? },
        "geneve" => Segment::Geneve { segmentation_id: read.number("segmentation_id")? },
        other => return Err(read.error("network_type", format!("unknown type '{other}'"))),
    })
}

async fn subnets(tx: &mut Tx, id: NetworkId) -> Result<Vec<Subnet>, StoreError> {
    let sql = Sql::with(
        "SELECT id, cidr, gateway_ip, enable_dhcp, dns_nameservers, host_routes FROM subnets \
         WHERE network_id = $1 ORDER BY id",
        [id.to_string().into()],
    );
    let columns = [
        ("id", SqlType::Text),
        ("cidr", SqlType::Text),
        ("gateway_ip", SqlType::Text),
        ("enable_dhcp", SqlType::Bool),
        ("dns_nameservers", SqlType::Text),
        ("host_routes", SqlType::Text),
    ];
    let rows = tx.fetch(sql, &columns).await?;
    let subnets = rows.iter().map(|row| {
        let read = Reader { table: "subnets", row };
        Ok::<_, StoreError>(Subnet {
            id: read.parse("id")?,
            cidr: read.parse("cidr")?,
            gateway_ip: read.optional("gateway_ip")?,
            enable_dhcp: read.flag("enable_dhcp"),
            dns_nameservers: read.json("dns_nameservers")?,
            host_routes: read.json("host_routes")?,
        })
    });
    subnets.collect()
}

async fn ports(
    tx: &mut Tx,
    id: NetworkId,
    wanted: &Wanted,
    objects: &mut Objects,
) -> Result<(), StoreError> {
    let columns = [
        ("id", SqlType::Text),
        ("mac_address", SqlType::Text),
        ("admin_state_up", SqlType::Bool),
        ("fixed_ips", SqlType::Text),
        ("device_owner", SqlType::Text),
        ("host_id", SqlType::Text),
        ("extra_dhcp_opts", SqlType::Text),
        ("dns_name", SqlType::Text),
    ];
    let names: Vec<_> = columns.iter().map(|column| column.0).collect();
    let kind = |key: &ObjectKey| match key {
        ObjectKey::Port(id) => Some(id.to_string()),
        _ => None,
    };
    let mut ports = Vec::new();
    for ids in wanted.ids(kind) {
        let mut sql = Sql::new(&format!("SELECT {} FROM ports", names.join(", ")));
        sql.push(" WHERE network_id = ").bind(id.to_string());
        // They only keep an address and are on no wire: the change log does not name them either.
        sql.push(" AND device_owner <> ").bind(FLOATING_IP_OWNER);
        if let Some(ids) = ids {
            sql.push(" AND ").bind_in("id", ids.into_iter().map(Into::into).collect());
        }
        for row in tx.fetch(sql, &columns).await? {
            ports.push(port(&Reader { table: "ports", row: &row })?);
        }
    }
    let hosts = ports.iter().filter_map(|port| port.host.clone()).collect();
    let tunnels = tunnel_ips(tx, hosts).await?;
    let mut prepared = prepared_on(tx, id).await?;
    for mut port in ports {
        port.tunnel_ip = port.host.as_ref().and_then(|host| tunnels.get(&host.0).copied());
        port.prepared_on = prepared.remove(&port.id).unwrap_or_default();
        objects.insert(ObjectKey::Port(port.id), Object::Port(port));
    }
    Ok(())
}

fn port(read: &Reader<'_>) -> Result<Port, DecodeError> {
    let host = read.text("host_id");
    let options: Vec<Value> = read.json("extra_dhcp_opts")?;
    Ok(Port {
        id: read.parse("id")?,
        mac_address: read.parse("mac_address")?,
        admin_state_up: read.flag("admin_state_up"),
        fixed_ips: read.json("fixed_ips")?,
        device_owner: read.text("device_owner").to_owned(),
        host: (!host.is_empty()).then(|| HostName::from(host)),
        tunnel_ip: None,
        prepared_on: Vec::new(),
        dns_name: read.text("dns_name").to_owned(),
        extra_dhcp_opts: options.iter().filter_map(dhcp_option).collect(),
    })
}

/// Hosts that ports of the network may be moved to while their instances run, by port. There are few:
/// a migration takes away what it prepared.
async fn prepared_on(
    tx: &mut Tx,
    id: NetworkId,
) -> Result<BTreeMap<PortId, Vec<HostName>>, StoreError> {
    let sql = Sql::with(
        "SELECT b.port_id, b.host FROM port_bindings b JOIN ports p ON p.id = b.port_id \
         WHERE b.status = 'INACTIVE' AND p.network_id = $1 ORDER BY b.port_id, b.host",
        [id.to_string().into()],
    );
    let mut prepared: BTreeMap<PortId, Vec<HostName>> = BTreeMap::new();
    for row in tx.fetch(sql, &[("port_id", SqlType::Text), ("host", SqlType::Text)]).await? {
        let read = Reader { table: "port_bindings", row: &row };
        prepared.entry(read.parse("port_id")?).or_default().push(read.text("host").into());
    }
    Ok(prepared)
}

/// As the API shows it: `opt_name`, `opt_value`, `ip_version`. An option without a value is none.
fn dhcp_option(option: &Value) -> Option<DhcpOption> {
    let version = option.get("ip_version").and_then(Value::as_u64).unwrap_or(4);
    Some(DhcpOption {
        name: option.get("opt_name")?.as_str()?.to_owned(),
        value: option.get("opt_value")?.as_str()?.to_owned(),
        ip_version: if version == 6 { 6 } else { 4 },
    })
}

/// The tunnel address that a host's agent announced, by host.
async fn tunnel_ips(
    tx: &mut Tx,
    mut hosts: Vec<HostName>,
) -> Result<BTreeMap<String, IpAddr>, StoreError> {
    hosts.sort();
    hosts.dedup();
    let mut tunnels = BTreeMap::new();
    for chunk in hosts.chunks(CHUNK) {
        let mut sql = Sql::new("SELECT host, configurations FROM agents WHERE ");
        sql.bind_in("host", chunk.iter().map(|host| host.0.as_str().into()).collect());
        sql.push(" ORDER BY id");
        let columns = [("host", SqlType::Text), ("configurations", SqlType::Text)];
        for row in tx.fetch(sql, &columns).await? {
            if let Some(address) = tunnel_ip(row.text("configurations")) {
                tunnels.insert(row.text("host").to_owned(), address);
            }
        }
    }
    Ok(tunnels)
}

/// Neutron's agents announce it as `tunneling_ip`.
pub(crate) fn tunnel_ip(configurations: &str) -> Option<IpAddr> {
    let configurations: Value = serde_json::from_str(configurations).ok()?;
    configurations.get("tunneling_ip")?.as_str()?.parse().ok()
}
