//! A router's forwards: of its gateway address and of its floating IPs. Each is found by its key,
//! so that one change costs the same however many forwards there are.

use navigator_model::{
    Object, ObjectKey, RouterId,
    snapshot::{Forward, ForwardAddress, SourceNat},
};
use navigator_resources::{DecodeError, SqlType};

use super::{Devices, range};
use crate::{
    backend::Tx,
    decode::Reader,
    error::StoreError,
    fetch::{Objects, Wanted},
    sql::Sql,
};

/// What both kinds have, with the subnet that the instance's address is of.
const SHARED: &str = "w.id, w.protocol, w.external_port_range, w.internal_port_range, \
    w.internal_ip_address, a.subnet_id, s.gateway_ip";
const SUBNET: &str = "LEFT JOIN ip_allocations a \
    ON a.port_id = w.internal_port_id AND a.ip_address = w.internal_ip_address \
    LEFT JOIN subnets s ON s.id = a.subnet_id";
const COLUMNS: [(&str, SqlType); 7] = [
    ("id", SqlType::Text),
    ("protocol", SqlType::Text),
    ("external_port_range", SqlType::Text),
    ("internal_port_range", SqlType::Text),
    ("internal_ip_address", SqlType::Text),
    ("subnet_id", SqlType::Text),
    ("gateway_ip", SqlType::Text),
];

pub(super) async fn load(
    tx: &mut Tx,
    id: RouterId,
    devices: &Devices,
    wanted: &Wanted,
    objects: &mut Objects,
) -> Result<(), StoreError> {
    of_gateway(tx, id, devices, wanted, objects).await?;
    of_floating_ips(tx, id, devices, wanted, objects).await
}

async fn of_gateway(
    tx: &mut Tx,
    id: RouterId,
    devices: &Devices,
    wanted: &Wanted,
    objects: &mut Objects,
) -> Result<(), StoreError> {
    let kind = |key: &ObjectKey| match key {
        ObjectKey::GatewayPortForwarding(id) => Some(id.to_string()),
        _ => None,
    };
    let text = format!(
        "SELECT {SHARED}, w.source_nat, w.allowed_cidrs FROM gateway_port_forwardings w {SUBNET} \
         WHERE "
    );
    let mut columns = COLUMNS.to_vec();
    columns.extend([("source_nat", SqlType::Text), ("allowed_cidrs", SqlType::Text)]);
    for ids in wanted.ids(kind) {
        let mut sql = Sql::new(&text);
        push_wanted(&mut sql, "w.router_id", id, ids);
        for row in &tx.fetch(sql, &columns).await? {
            let read = Reader { table: "gateway_port_forwardings", row };
            let mut forward = forward(&read, devices, ForwardAddress::Gateway)?;
            forward.source_nat = source_nat(&read)?;
            forward.allowed_cidrs = read.json("allowed_cidrs")?;
            let key = ObjectKey::GatewayPortForwarding(read.parse("id")?);
            objects.insert(key, Object::Forward(forward));
        }
    }
    Ok(())
}

/// The router's forwards, or those of these ids. With ids, the router is no column that an index finds:
/// a database that knows little of its tables would read all of the router's to keep one.
fn push_wanted(sql: &mut Sql, router_id: &str, id: RouterId, ids: Option<Vec<String>>) {
    match ids {
        None => sql.push(router_id).push(" = ").bind(id.to_string()),
        Some(ids) => {
            sql.bind_in("w.id", ids.into_iter().map(Into::into).collect());
            sql.push(" AND ").push(router_id).push(" || '' = ").bind(id.to_string())
        }
    };
}

fn source_nat(read: &Reader<'_>) -> Result<SourceNat, DecodeError> {
    Ok(match read.text("source_nat") {
        "auto" => SourceNat::Auto,
        "never" => SourceNat::Never,
        "always" => SourceNat::Always,
        other => return Err(read.error("source_nat", format!("unknown word '{other}'"))),
    })
}

async fn of_floating_ips(
    tx: &mut Tx,
    id: RouterId,
    devices: &Devices,
    wanted: &Wanted,
    objects: &mut Objects,
) -> Result<(), StoreError> {
    let kind = |key: &ObjectKey| match key {
        ObjectKey::PortForwarding(id) => Some(id.to_string()),
        _ => None,
    };
    let text = format!(
        "SELECT {SHARED}, f.floating_ip_address FROM port_forwardings w \
         JOIN floatingips f ON f.id = w.floatingip_id {SUBNET} WHERE "
    );
    let mut columns = COLUMNS.to_vec();
    columns.push(("floating_ip_address", SqlType::Text));
    for ids in wanted.ids(kind) {
        let mut sql = Sql::new(&text);
        push_wanted(&mut sql, "f.router_id", id, ids);
        for row in &tx.fetch(sql, &columns).await? {
            let read = Reader { table: "port_forwardings", row };
            let external = ForwardAddress::FloatingIp(read.parse("floating_ip_address")?);
            let key = ObjectKey::PortForwarding(read.parse("id")?);
            objects.insert(key, Object::Forward(forward(&read, devices, external)?));
        }
    }
    Ok(())
}

fn forward(
    read: &Reader<'_>,
    devices: &Devices,
    external: ForwardAddress,
) -> Result<Forward, DecodeError> {
    let home = match (read.optional("subnet_id")?, read.optional("gateway_ip")?) {
        (Some(subnet), Some(gateway)) => devices.has_interface(subnet, gateway),
        _ => false,
    };
    Ok(Forward {
        external,
        protocol: read.parse("protocol")?,
        external_ports: range(read, "external_port_range")?,
        internal_address: read.parse("internal_ip_address")?,
        internal_ports: range(read, "internal_port_range")?,
        source_nat: SourceNat::default(),
        allowed_cidrs: Vec::new(),
        foreign_gateway: !home,
    })
}
