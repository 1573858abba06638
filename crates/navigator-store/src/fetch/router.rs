//! A router scope: the router with its devices, its floating IPs and its forwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use navigator_model::{
    HostName, L4PortRange, NetworkId, Object, ObjectKey, PortId, ProjectId, Revision, RouterId,
    SubnetId,
    snapshot::{FixedIp, FloatingIp, Gateway, Router, RouterPort},
};
use navigator_resources::{DecodeError, Row, SqlType};
use serde_json::Value;

use super::{Objects, Wanted};
use crate::{backend::Tx, change_log::revision, decode::Reader, error::StoreError, sql::Sql};

mod forward;

/// Device owners of a router's interfaces and of its gateway.
const INTERFACE_OWNERS: [&str; 3] = [
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
];
const GATEWAY_OWNER: &str = "network:router_gateway";

/// `None` when the router does not exist or is not served by this host.
pub(super) async fn load(
    tx: &mut Tx,
    host: &HostName,
    id: RouterId,
    wanted: &Wanted,
) -> Result<Option<Objects>, StoreError> {
    let Some(row) = row(tx, host, id).await? else { return Ok(None) };
    let devices = Devices::load(tx, id).await?;
    let mut objects = Objects::new();
    let key = ObjectKey::Router(id);
    if wanted.includes(&key) {
        let read = Reader { table: "routers", row: &row };
        objects.insert(key, Object::Router(router(&read, id, &devices)?));
    }
    floating_ips(tx, id, wanted, &mut objects).await?;
    // Whether an instance's gateway is another router depends on this router's interfaces.
    let forwards = match wanted {
        Wanted::Only { since, .. } if home_revision(tx, id).await? > *since => &Wanted::All,
        wanted => wanted,
    };
    forward::load(tx, id, &devices, forwards, &mut objects).await?;
    Ok(Some(objects))
}

async fn row(tx: &mut Tx, host: &HostName, id: RouterId) -> Result<Option<Row>, StoreError> {
    let sql = Sql::with(
        "SELECT project_id, admin_state_up, external_gateway_info, routes, gw_port_id \
         FROM routers WHERE id = $1 AND l3_host = $2",
        [id.to_string().into(), host.0.as_str().into()],
    );
    let columns = [
        ("project_id", SqlType::Text),
        ("admin_state_up", SqlType::Bool),
        ("external_gateway_info", SqlType::Text),
        ("routes", SqlType::Text),
        ("gw_port_id", SqlType::Text),
    ];
    Ok(tx.fetch(sql, &columns).await?.pop())
}

fn router(read: &Reader<'_>, id: RouterId, devices: &Devices) -> Result<Router, DecodeError> {
    let gateway_id: Option<PortId> = read.optional("gw_port_id")?;
    let info: Value = read.json("external_gateway_info")?;
    let gateway = devices.ports.iter().find(|port| Some(port.id) == gateway_id).map(|port| {
        let enable_snat = info.get("enable_snat").and_then(Value::as_bool).unwrap_or(true);
        Gateway { port: devices.describe(port), enable_snat, next_hops: devices.next_hops(port) }
    });
    let interfaces = devices.ports.iter().filter(|port| port.owner != GATEWAY_OWNER);
    Ok(Router {
        id,
        project_id: ProjectId::from(read.text("project_id")),
        admin_state_up: read.flag("admin_state_up"),
        interfaces: interfaces.map(|port| devices.describe(port)).collect(),
        gateway,
        routes: read.json("routes")?,
    })
}

/// Since when the router is the gateway of the subnets that it is the gateway of.
async fn home_revision(tx: &mut Tx, id: RouterId) -> Result<Revision, StoreError> {
    let sql = Sql::with(
        "SELECT revision FROM router_homes WHERE router_id = $1",
        [id.to_string().into()],
    );
    let row = tx.fetch(sql, &[("revision", SqlType::Int)]).await?.pop().unwrap_or_default();
    Ok(revision(&row, "revision"))
}

/// Ids of the subnets whose gateway address is one of the router's interfaces, in order.
pub(crate) async fn home_subnets(tx: &mut Tx, id: RouterId) -> Result<String, StoreError> {
    let devices = Devices::load(tx, id).await?;
    let home = devices.subnets.iter().filter(|(subnet, (_, gateway))| {
        gateway.is_some_and(|gateway| devices.has_interface(**subnet, gateway))
    });
    let ids: Vec<String> = home.map(|(subnet, _)| subnet.to_string()).collect();
    Ok(ids.join(","))
}

/// A router's ports with what they need of their networks and subnets.
struct Devices {
    ports: Vec<DevicePort>,
    mtus: BTreeMap<NetworkId, u32>,
    subnets: BTreeMap<SubnetId, (IpNet, Option<IpAddr>)>,
}

struct DevicePort {
    id: PortId,
    owner: String,
    fixed_ips: Vec<FixedIp>,
    /// All but its addresses and MTU.
    shape: RouterPort,
}

impl Devices {
    async fn load(tx: &mut Tx, id: RouterId) -> Result<Self, StoreError> {
        let ports = ports(tx, id).await?;
        let networks: BTreeSet<_> = ports.iter().map(|port| port.shape.network_id).collect();
        let mut sql = Sql::new("SELECT id, mtu FROM networks WHERE ");
        sql.bind_in("id", networks.iter().map(|id| id.to_string().into()).collect());
        let rows = tx.fetch(sql, &[("id", SqlType::Text), ("mtu", SqlType::Int)]).await?;
        let mut mtus = BTreeMap::new();
        for row in &rows {
            let read = Reader { table: "networks", row };
            mtus.insert(read.parse("id")?, read.number("mtu")?);
        }
        let fixed_ips = ports.iter().flat_map(|port| &port.fixed_ips);
        let ids: BTreeSet<_> = fixed_ips.map(|fixed_ip| fixed_ip.subnet_id).collect();
        let mut sql = Sql::new("SELECT id, cidr, gateway_ip FROM subnets WHERE ");
        sql.bind_in("id", ids.iter().map(|id| id.to_string().into()).collect());
        let columns =
            [("id", SqlType::Text), ("cidr", SqlType::Text), ("gateway_ip", SqlType::Text)];
        let mut subnets = BTreeMap::new();
        for row in &tx.fetch(sql, &columns).await? {
            let read = Reader { table: "subnets", row };
            let subnet = (read.parse("cidr")?, read.optional("gateway_ip")?);
            subnets.insert(read.parse("id")?, subnet);
        }
        Ok(Self { ports, mtus, subnets })
    }

    fn describe(&self, port: &DevicePort) -> RouterPort {
        let addresses = port.fixed_ips.iter().filter_map(|fixed_ip| {
            let (cidr, _) = self.subnets.get(&fixed_ip.subnet_id)?;
            IpNet::new(fixed_ip.ip_address, cidr.prefix_len()).ok()
        });
        let mtu = self.mtus.get(&port.shape.network_id).copied().unwrap_or(port.shape.mtu);
        RouterPort { mtu, addresses: addresses.collect(), ..port.shape.clone() }
    }

    fn next_hops(&self, port: &DevicePort) -> Vec<IpAddr> {
        let mut hops = Vec::new();
        for fixed_ip in &port.fixed_ips {
            let gateway = self.subnets.get(&fixed_ip.subnet_id).and_then(|subnet| subnet.1);
            hops.extend(gateway.filter(|hop| !hops.contains(hop)));
        }
        hops
    }

    /// Whether an interface has that address on that subnet.
    fn has_interface(&self, subnet_id: SubnetId, ip_address: IpAddr) -> bool {
        let fixed_ip = FixedIp { subnet_id, ip_address };
        let interfaces = self.ports.iter().filter(|port| port.owner != GATEWAY_OWNER);
        interfaces.flat_map(|port| &port.fixed_ips).any(|own| *own == fixed_ip)
    }
}

async fn ports(tx: &mut Tx, id: RouterId) -> Result<Vec<DevicePort>, StoreError> {
    let mut sql = Sql::new(
        "SELECT id, network_id, mac_address, admin_state_up, fixed_ips, device_owner FROM ports \
         WHERE device_id = ",
    );
    let owners = INTERFACE_OWNERS.into_iter().chain([GATEWAY_OWNER]);
    sql.bind(id.to_string()).push(" AND ");
    sql.bind_in("device_owner", owners.map(Into::into).collect()).push(" ORDER BY id");
    let columns = [
        ("id", SqlType::Text),
        ("network_id", SqlType::Text),
        ("mac_address", SqlType::Text),
        ("admin_state_up", SqlType::Bool),
        ("fixed_ips", SqlType::Text),
        ("device_owner", SqlType::Text),
    ];
    let rows = tx.fetch(sql, &columns).await?;
    let ports = rows.iter().map(|row| {
        let read = Reader { table: "ports", row };
        let port_id = read.parse("id")?;
        Ok::<_, StoreError>(DevicePort {
            id: port_id,
            owner: read.text("device_owner").to_owned(),
            fixed_ips: read.json("fixed_ips")?,
            shape: RouterPort {
                port_id,
                network_id: read.parse("network_id")?,
                mac_address: read.parse("mac_address")?,
                mtu: 1500,
                admin_state_up: read.flag("admin_state_up"),
                addresses: Vec::new(),
            },
        })
    });
    ports.collect()
}

async fn floating_ips(
    tx: &mut Tx,
    id: RouterId,
    wanted: &Wanted,
    objects: &mut Objects,
) -> Result<(), StoreError> {
    let kind = |key: &ObjectKey| match key {
        ObjectKey::FloatingIp(id) => Some(id.to_string()),
        _ => None,
    };
    for ids in wanted.ids(kind) {
        let mut sql = Sql::new(
            "SELECT id, floating_ip_address, fixed_ip_address FROM floatingips WHERE router_id = ",
        );
        sql.bind(id.to_string());
        if let Some(ids) = ids {
            sql.push(" AND ").bind_in("id", ids.into_iter().map(Into::into).collect());
        }
        let columns = [
            ("id", SqlType::Text),
            ("floating_ip_address", SqlType::Text),
            ("fixed_ip_address", SqlType::Text),
        ];
        for row in &tx.fetch(sql, &columns).await? {
            let read = Reader { table: "floatingips", row };
            let address = read.parse("floating_ip_address")?;
            let fixed_ip = read.optional("fixed_ip_address")?;
            let key = ObjectKey::FloatingIp(read.parse("id")?);
            objects.insert(key, Object::FloatingIp(FloatingIp { address, fixed_ip }));
        }
    }
    Ok(())
}

/// Always written `a:b`.
fn range(read: &Reader<'_>, column: &'static str) -> Result<L4PortRange, DecodeError> {
    read.parse(column)
}
