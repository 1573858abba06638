"""Makes a few objects of each kind in an empty cloud, so that requests find something.

    seed.py URL USER PASSWORD >seeded.json

Prints their ids by collection, as hooks.py reads them.
"""

import collections
import json
import sys

import requests

# Of each, so that some are left when others are deleted.
TURNS = 3


def main(url, user, password):
    made = collections.defaultdict(list)
    session = requests.Session()
    session.auth = (user, password)

    def create(path, one, /, **attributes):
        collection = path.rpartition("/")[2]
        answer = session.post(f"{url}/v2.0/{path}", json={one: attributes}, timeout=30)
        if not answer.ok:
            sys.exit(f"{path}: {answer.status_code} {answer.text}")
        made[collection].append(answer.json()[one]["id"])
        return made[collection][-1]

    def act(path, **body):
        session.put(f"{url}/v2.0/{path}", json=body, timeout=30).raise_for_status()

    for turn in range(TURNS):
        scope = create("address_scopes", "address_scope", name="scope", ip_version=4)
        pool = create("subnetpools", "subnetpool", name="pool", prefixes=[f"10.{20 + turn}.0.0/16"],
                      address_scope_id=scope, default_prefixlen=26)
        policy = create("qos/policies", "policy", name="policy")
        for kind, rule in [("bandwidth_limit", {"max_kbps": 1000}), ("dscp_marking", {"dscp_mark": 10}),
                           ("minimum_bandwidth", {"min_kbps": 10}),
                           ("minimum_packet_rate", {"min_kpps": 10, "direction": "egress"}),
                           ("packet_rate_limit", {"max_kpps": 10})]:
            create(f"qos/policies/{policy}/{kind}_rules", f"{kind}_rule", **rule)
        outside = create("networks", "network", name="outside", **{"router:external": True})
        create("subnets", "subnet", network_id=outside, ip_version=4, cidr=f"198.51.{100 + turn}.0/24",
               enable_dhcp=False)
        router = create("routers", "router", name="router",
                        external_gateway_info={"network_id": outside})
        mine = []
        for number in (1, 2):
            network = create("networks", "network", name=f"network-{number}")
            origin = {"cidr": "10.1.0.0/24"} if number == 1 else {"subnetpool_id": pool}
            subnet = create("subnets", "subnet", network_id=network, ip_version=4, **origin)
            act(f"routers/{router}/add_router_interface", subnet_id=subnet)
            ports = [create("ports", "port", network_id=network, fixed_ips=[{"subnet_id": subnet}])
                     for _ in range(3)]
            mine += ports
        first = mine[0]
        address = session.get(f"{url}/v2.0/ports/{first}", timeout=30).json()["port"]["fixed_ips"][0]
        floating = create("floatingips", "floatingip", floating_network_id=outside)
        create(f"floatingips/{floating}/port_forwardings", "port_forwarding", protocol="tcp",
               external_port=2222, internal_port=22, internal_port_id=first,
               internal_ip_address=address["ip_address"])
        create("floatingips", "floatingip", floating_network_id=outside, port_id=mine[1])
        create(f"routers/{router}/gateway_port_forwardings", "gateway_port_forwarding", protocol="tcp",
               external_port=3333, internal_port=22, internal_port_id=first)
        create(f"routers/{router}/conntrack_helpers", "conntrack_helper", protocol="udp", port=69,
               helper="tftp")
        create("trunks", "trunk", port_id=ports[0],
               sub_ports=[{"port_id": ports[1], "segmentation_type": "vlan", "segmentation_id": 5}])
        group = create("security_groups", "security_group", name="group")
        addresses = create("address_groups", "address_group", name="addresses", addresses=["10.0.0.0/8"])
        create("security_group_rules", "security_group_rule", security_group_id=group,
               direction="ingress", remote_address_group_id=addresses)
        create("rbac_policies", "rbac_policy", object_type="network", object_id=network,
               action="access_as_shared", target_tenant="00000000000000000000000000000042")
        label = create("metering/metering_labels", "metering_label", name="label")
        create("metering/metering_label_rules", "metering_label_rule", metering_label_id=label,
               direction="ingress", remote_ip_prefix="10.0.0.0/8")
        profile = create("service_profiles", "service_profile", driver="", metainfo="{'a': 1}")
        flavor = create("flavors", "flavor", name="flavor", service_type="L3_ROUTER_NAT")
        session.post(f"{url}/v2.0/flavors/{flavor}/service_profiles", timeout=30,
                     json={"service_profile": {"id": profile}}).raise_for_status()
        create("log/logs", "log", resource_type="security_group", resource_id=group)
        create("network_segment_ranges", "network_segment_range", name="range", network_type="vlan",
               physical_network="public", minimum=100 * (turn + 1), maximum=100 * (turn + 1) + 50)
        create("default_security_group_rules", "default_security_group_rule", direction="ingress",
               port_range_min=1000 + turn, port_range_max=1000 + turn, protocol="tcp")
    made["segments"] = [segment["id"] for segment in
                        session.get(f"{url}/v2.0/segments", timeout=30).json()["segments"]]
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
