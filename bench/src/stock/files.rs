//! The configuration files of stock Neutron. Options that say nothing of its speed are left as they
//! come; there are no agents, so that neither side has any to tell of changes.

use std::{fs, path::Path};

use super::{API, SERVICE_PASSWORD, keystone};

pub(super) const DATABASE_PASSWORD: &str = "of-the-database";

pub(super) const RABBITMQ: &str = "listeners.tcp.1 = 127.0.0.1:5672\n\
    vm_memory_high_watermark.relative = 0.2\ndisk_free_limit.absolute = 50MB\n";

const ML2: &str = "[ml2]
type_drivers = flat,vlan,vxlan,local
tenant_network_types = vxlan
mechanism_drivers = openvswitch,l2population
extension_drivers = port_security,qos
[ml2_type_flat]
flat_networks = external
[ml2_type_vxlan]
vni_ranges = 1:100000
[securitygroup]
enable_security_group = true
firewall_driver = openvswitch
";

/// Below `dir`, which it also keeps its state in.
pub(super) fn write(dir: &Path, environment: &Path) -> anyhow::Result<()> {
    fs::copy(environment.join("etc/neutron/api-paste.ini"), dir.join("api-paste.ini"))?;
    fs::write(dir.join("ml2_conf.ini"), ML2)?;
    fs::write(dir.join("neutron.conf"), neutron(dir))?;
    Ok(())
}

fn neutron(dir: &Path) -> String {
    let dir = dir.display();
    let (host, port) = (API.ip(), API.port());
    let identity = keystone::URL;
    format!(
        "[DEFAULT]
bind_host = {host}
bind_port = {port}
core_plugin = ml2
service_plugins = router,port_forwarding,qos
auth_strategy = keystone
transport_url = rabbit://guest:guest@127.0.0.1:5672/
state_path = {dir}/state
api_paste_config = {dir}/api-paste.ini
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
rpc_workers = 1
rpc_state_report_workers = 1
[agent]
root_helper =
[database]
connection = mysql+pymysql://neutron:{DATABASE_PASSWORD}@127.0.0.1:3306/neutron?charset=utf8mb4
[keystone_authtoken]
www_authenticate_uri = {identity}
auth_url = {identity}
auth_type = password
username = neutron
password = {SERVICE_PASSWORD}
project_name = service
user_domain_id = default
project_domain_id = default
service_token_roles = service
service_token_roles_required = true
[oslo_concurrency]
lock_path = {dir}/state/lock
[oslo_messaging_notifications]
driver = noop
"
    )
}
