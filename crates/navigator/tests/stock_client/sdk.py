"""openstacksdk against a running server, for what the command line does not offer: several objects
in one request, pages, changes on condition of a revision, forwardings of a router's own address.

Ends with the line `all said`, or with the first assertion that does not hold.
"""

import openstack
from openstack import exceptions
from openstack.network.v2 import network, port, subnet

connection = openstack.connect(load_yaml_config=False)
api = connection.network


def refused(kind, action, *words):
    try:
        action()
    except kind as error:
        assert all(word in str(error) for word in words), error
        return
    raise AssertionError(f"{kind.__name__} expected")


def names(found):
    return [one.name for one in found]


def requests_of(action):
    """The paths and queries that `action` asks for."""
    asked = []

    def note(answer, *_args, **_kwargs):
        asked.append(answer.request.path_url)

    hooks = connection.session.session.hooks["response"]
    hooks.append(note)
    try:
        action()
    finally:
        hooks.remove(note)
    return asked


def several_at_once():
    made = list(network.Network.bulk_create(api, [{"name": f"n{n}"} for n in range(5)]))
    assert names(made) == [f"n{n}" for n in range(5)]
    ids = [one.id for one in made]
    nets = [{"network_id": i, "ip_version": 4, "cidr": "10.0.0.0/24"} for i in ids]
    assert len(list(subnet.Subnet.bulk_create(api, nets))) == 5
    ports = [{"network_id": ids[0], "name": f"p{n}"} for n in range(20)]
    made = list(port.Port.bulk_create(api, ports))
    addresses = {one.fixed_ips[0]["ip_address"] for one in made}
    assert len(addresses) == 20, addresses
    # All or nothing: the second one overlaps.
    two = [{"network_id": ids[1], "ip_version": 4, "cidr": c} for c in ("10.1.0.0/24", "10.1.0.0/25")]
    refused(exceptions.BadRequestException, lambda: list(subnet.Subnet.bulk_create(api, two)), "overlaps")
    assert list(api.subnets(cidr="10.1.0.0/24")) == []


def pages():
    everything = names(api.networks(sort_key="name"))
    assert everything == [f"n{n}" for n in range(5)], everything
    asked = requests_of(lambda: names(api.networks(limit=2)))
    # 2, 2 and 1, each page found by the last id of the one before; the SDK asks until one is empty
    # or has no next link.
    assert 3 <= len(asked) <= 4, asked
    assert all("limit=2" in path for path in asked), asked
    assert all("marker=" in path for path in asked[1:]), asked
    for direction in ("asc", "desc"):
        found = names(api.networks(limit=2, sort_key="name", sort_dir=direction))
        assert found == (everything if direction == "asc" else everything[::-1]), found
    page = api.get("/networks?limit=2&sort_key=name&sort_dir=asc").json()
    assert [link["rel"] for link in page["networks_links"]] == ["next"], page
    refused(
        exceptions.NotFoundException,
        lambda: exceptions.raise_from_response(api.get("/networks?limit=2&marker=nowhere")),
        "nowhere",
    )


def fields_and_filters():
    page = api.get("/networks?fields=name&name=n1&name=n3").json()["networks"]
    assert sorted(page, key=str) == [{"name": "n1"}, {"name": "n3"}], page
    assert len(list(api.ports(fixed_ips="ip_address_substr=10.0.0."))) >= 20
    changed = api.get("/networks?changed_since=2100-01-01T00:00:00Z").json()
    assert changed == {"networks": []}, changed
    refused(
        exceptions.BadRequestException,
        lambda: exceptions.raise_from_response(api.get("/networks?colour=red")),
        "['colour'] is invalid attribute for filtering",
    )


def on_condition():
    one = api.find_network("n4")
    refused(
        exceptions.PreconditionFailedException,
        lambda: api.update_network(one, if_revision=one.revision_number + 1, name="x"),
    )
    # The SDK changes what it is given, so the number is kept apart.
    before = one.revision_number
    changed = api.update_network(one, if_revision=before, name="renamed")
    assert (changed.name, changed.revision_number) == ("renamed", before + 1), changed
    refused(
        exceptions.PreconditionFailedException,
        lambda: api.delete_network(api.find_network("renamed"), if_revision=before),
    )
    api.delete_network(api.find_network("renamed"), if_revision=before + 1)
    assert api.find_network("renamed") is None


def forwardings_of_a_routers_address():
    outside = api.create_network(
        name="outside", is_router_external=True,
        provider_network_type="flat", provider_physical_network="external",
    )
    api.create_subnet(
        network_id=outside.id, ip_version=4, cidr="203.0.113.0/24", is_dhcp_enabled=False)
    router = api.create_router(name="r", external_gateway_info={"network_id": outside.id})
    inside = api.find_network("n0")
    api.add_interface_to_router(router, subnet_id=inside.subnet_ids[0])
    web = api.find_port("p0")
    assert api.find_extension("router-gateway-port-forwarding") is not None

    path = f"/routers/{router.id}/gateway_port_forwardings"
    body = {
        "internal_port_id": web.id, "internal_ip_address": web.fixed_ips[0]["ip_address"],
        "internal_port": 80, "protocol": "tcp"}

    def post(forwardings):
        answer = api.post(path, json=forwardings)
        exceptions.raise_from_response(answer)
        return answer.json()

    made = post({"gateway_port_forwarding": body | {"external_port": 8080}})["gateway_port_forwarding"]
    gateway = router.external_gateway_info["external_fixed_ips"][0]["ip_address"]
    assert made["gw_ip_address"] == gateway, made
    more = [
        body | {"external_port": 9000 + n, "internal_port": 9000 + n} for n in range(10)]
    assert len(post({"gateway_port_forwardings": more})["gateway_port_forwardings"]) == 10
    again = {"gateway_port_forwarding": body | {"external_port": 8080, "internal_port": 81}}
    refused(exceptions.SDKException, lambda: post(again), "8080")
    found = api.get(f"{path}?external_port=9003").json()["gateway_port_forwardings"]
    assert [one["internal_port"] for one in found] == [9003], found
    one = f"{path}/{made['id']}"
    changed = api.put(one, json={"gateway_port_forwarding": {"internal_port": 8000}})
    assert changed.status_code == 200, changed.text
    assert api.get(one).json()["gateway_port_forwarding"]["internal_port"] == 8000
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404
    assert len(api.get(path).json()["gateway_port_forwardings"]) == 10


def a_topology_that_is_only_asked_for():
    outside = api.find_network("outside")
    project = outside.project_id
    refused(
        exceptions.ConflictException,
        lambda: api.get_auto_allocated_topology(project),
        "Deployment error: No default router:external network.",
    )
    api.update_network(outside, is_default=True)
    pool = api.create_subnet_pool(
        name="default", prefixes=["10.9.0.0/16"], default_prefix_length=26, is_default=True,
        is_shared=True)
    assert (pool.default_prefix_length, pool.minimum_prefix_length) == (26, 8), pool
    grown = api.put(f"/subnetpools/{pool.id}/add_prefixes", json={"prefixes": ["10.8.0.0/16"]})
    assert grown.json() == {"prefixes": ["10.8.0.0/15"]}, grown.text

    assert api.validate_auto_allocated_topology(project).id == "dry-run=pass"
    assert api.find_network("auto_allocated_network") is None
    made = api.get_auto_allocated_topology(project)
    assert api.get_auto_allocated_topology(project).id == made.id
    assert api.get_network(made.id).name == "auto_allocated_network"
    (made_subnet,) = api.subnets(network_id=made.id)
    assert (made_subnet.subnet_pool_id, made_subnet.cidr) == (pool.id, "10.8.0.0/26"), made_subnet
    assert names(api.routers(name="auto_allocated_router")) == ["auto_allocated_router"]
    api.delete_auto_allocated_topology(project)
    assert api.find_network("auto_allocated_network") is None
    assert list(api.routers(name="auto_allocated_router")) == []


for chapter in (
    several_at_once, pages, fields_and_filters, on_condition, forwardings_of_a_routers_address,
    a_topology_that_is_only_asked_for,
):
    chapter()
    print(chapter.__name__)
print("all said")
