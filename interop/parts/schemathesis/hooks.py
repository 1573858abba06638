"""What is asked of the API beside Schemathesis' own checks, and what makes its requests meaningful.

* An answer has no member that its schema does not name: the document describes what is shown whole.
* Of the 5xx, only those that Neutron's API has for what is used up or switched off: a 503 that says so.
* Ids in requests are, more often than not, those of objects that exist, and addresses are addresses:
  otherwise nearly everything ends in "not found" before a rule is asked.
"""

import json
import os
import random

import schemathesis

# 503 by the API's definition, not by failure: `NeutronError.type`.
EXHAUSTED = {"NoNetworkAvailable", "FlavorDisabled", "ServiceProfileDisabled"}
INPUT = ("Create", "Update")

# Collection -> ids, as seed.py made them.
with open(os.environ["SEEDED"], encoding="utf-8") as file:
    SEEDED = json.load(file)

# What a member of a body that ends in this names.
NAMED = {
    "network_id": "networks",
    "subnet_id": "subnets",
    "subnetpool_id": "subnetpools",
    "address_scope_id": "address_scopes",
    "port_id": "ports",
    "router_id": "routers",
    "group_id": "security_groups",
    "address_group_id": "address_groups",
    "qos_policy_id": "policies",
    "floatingip_id": "floatingips",
    "flavor_id": "flavors",
    "segment_id": "segments",
    "metering_label_id": "metering_labels",
    "object_id": "networks",
}

# Plausible values of what is text to the schema.
WORDS = {
    "cidr": ["10.9.0.0/24", "10.9.1.0/26", "2001:db8:9::/64", "10.0.0.0/8"],
    "gateway_ip": ["10.9.0.1", "10.9.1.1", None],
    "ip_address": ["10.1.0.77", "10.9.0.7", "10.1.0.0/28", "2001:db8::7"],
    "fixed_ip_address": ["10.1.0.5"],
    "floating_ip_address": ["198.51.100.77"],
    "internal_ip_address": ["10.1.0.5", "10.1.0.6"],
    "mac_address": ["fa:16:3e:00:00:77"],
    "remote_ip_prefix": ["10.0.0.0/8", "::/0", "0.0.0.0/0"],
    "source_ip_prefix": ["10.0.0.0/8"],
    "destination_ip_prefix": ["10.0.0.0/8"],
    "destination": ["192.0.2.0/24"],
    "nexthop": ["10.1.0.9"],
    "protocol": ["tcp", "udp", "icmp", "sctp", None],
    "network_type": ["vlan", "vxlan", "flat", "geneve"],
    "physical_network": ["public", "other"],
    "provider:network_type": ["vlan", "vxlan", "flat"],
    "provider:physical_network": ["public"],
    "port_range_min": [1, 80, None],
    "port_range_max": [80, 65535, None],
    "internal_port_range": ["80:90", "80"],
    "external_port_range": ["1080:1090", "1080"],
    "segmentation_id": [1, 100, 4094],
    "service_type": ["L3_ROUTER_NAT"],
    "resource_type": ["security_group"],
    "ip_version": [4, 6],
    "default_prefixlen": [26, 64],
    "prefixlen": [26, 28],
}
LISTS = {
    "prefixes": [["10.66.0.0/16"], ["2001:db8:66::/56"], ["10.66.0.0/24", "10.67.0.0/24"]],
    "addresses": [["10.0.0.0/8"], ["192.0.2.1/32", "2001:db8::/64"]],
    "routes": [[{"destination": "192.0.2.0/24", "nexthop": "10.1.0.9"}], []],
    "allocation_pools": [[{"start": "10.9.0.10", "end": "10.9.0.20"}], []],
    "dns_nameservers": [["192.0.2.53"], []],
    "host_routes": [[{"destination": "192.0.2.0/24", "nexthop": "10.9.0.9"}], []],
    "allowed_address_pairs": [[{"ip_address": "10.1.0.99"}], []],
    "service_types": [["compute:nova"], []],
}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Closes what answers show."""
    for name, schema in raw_schema["components"]["schemas"].items():
        if not name.endswith(INPUT) and "properties" in schema:
            schema["additionalProperties"] = False


@schemathesis.check
def no_server_error(context, response, case):
    """See EXHAUSTED."""
    if response.status_code < 500:
        return
    told = response.json().get("NeutronError", {}).get("type") if response.content else None
    if response.status_code != 503 or told not in EXHAUSTED:
        raise AssertionError(f"{response.status_code} {told}: {response.text[:500]}")


def collection_of(path, name):
    """Which collection the id `name` of a path is from: the word before it."""
    words = path.split("/")
    return words[words.index("{" + name + "}") - 1]


def choose(chance, collection, value, often=0.75):
    """An id that exists, so often."""
    ids = SEEDED.get(collection.replace("-", "_"))
    return chance.choice(ids) if ids and chance.random() < often else value


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    chance = random.Random(repr(path_parameters))
    # What is deleted is not there for others.
    often = 0.1 if context.operation.method.upper() == "DELETE" else 0.75
    for name, value in (path_parameters or {}).items():
        if name in ("id", "parent", "profile", "other"):
            collection = collection_of(context.operation.path, name)
            path_parameters[name] = choose(chance, collection, value, often)
    return path_parameters


def plausible(chance, name, value):
    if chance.random() < 0.2:
        return value
    if name in WORDS:
        return chance.choice(WORDS[name])
    if name in LISTS:
        return chance.choice(LISTS[name])
    for ending, collection in NAMED.items():
        if name.endswith(ending) and value is not None:
            return choose(chance, collection, value)
    if isinstance(value, dict):
        return {inner: plausible(chance, inner, each) for inner, each in value.items()}
    if isinstance(value, list):
        return [plausible(chance, "", each) for each in value]
    return value


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    return plausible(random.Random(repr(body)), "", body)
