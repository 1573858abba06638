"""Horizon's calls for its network panels, made by Horizon's own unmodified code.

A request as a logged-in user's browser would make it, with a token that the real Keystone gave, is
handed to every public function of `openstack_dashboard.api.neutron` and to every view of
`openstack_dashboard.api.rest.neutron`. Each call is a line: what was called, and `ok` or what is wrong.
A function that no line calls is a failure too, so that a new Horizon cannot go past this unseen.
There is no compute service: what Horizon asks Nova for (names of servers) is answered here.

Ends with `N passed, N failed`.
"""

import inspect
import json
import os
import sys
import traceback
import types

import django

django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.messages.storage import default_storage  # noqa: E402
from django.contrib.sessions.backends.signed_cookies import SessionStore  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from keystoneauth1 import session as ks_session  # noqa: E402
from keystoneauth1.identity import v3  # noqa: E402
from openstack_auth import user as auth_user  # noqa: E402
from openstack_dashboard.api import neutron, nova  # noqa: E402
from openstack_dashboard.api.rest import neutron as rest  # noqa: E402
from openstack_dashboard.usage import quotas as horizon_quotas  # noqa: E402

# How Nova would answer for the one server that there is.
SERVER = types.SimpleNamespace(id="11111111-2222-3333-4444-555555555555", name="web")
nova.server_list = lambda request, **_: ([SERVER], False)
nova.server_get = lambda request, server_id: SERVER


def logged_in(project):
    """Makes requests of the administrator in a project."""
    auth = v3.Password(
        auth_url=os.environ["OS_AUTH_URL"],
        username=os.environ["OS_USERNAME"],
        password=os.environ["OS_PASSWORD"],
        user_domain_id="default",
        project_name=project,
        project_domain_id="default",
    )
    access = auth.get_access(ks_session.Session())
    factory = RequestFactory(HTTP_X_REQUESTED_WITH="XMLHttpRequest")

    def request(method="GET", path="/", query=None, data=None):
        if method == "GET":
            made = factory.get(path, query or {})
        else:
            body = "" if data is None else json.dumps(data)
            made = factory.generic(method, path, body, content_type="application/json")
        made.session = SessionStore()
        made._messages = default_storage(made)
        token = auth_user.Token(access)
        user = auth_user.create_user_from_token(made, token, os.environ["OS_AUTH_URL"])
        # As a login leaves it.
        made.session[SESSION_KEY] = user.id
        made.session[BACKEND_SESSION_KEY] = "openstack_auth.backend.KeystoneBackend"
        auth_user.set_session_from_user(made, user)
        return made

    return request


# What Horizon 27.0.0 makes of a quota that was answered with 200: it keeps the SDK's note of the cloud
# that the quota came from, and throws the limits away.
BROKEN = {"tenant_quota_get": "ValueError: invalid literal for int() with base 10: 'horizon'"}


class Ledger:
    """What was called, and how it went."""

    def __init__(self, request):
        self.request = request
        self.called = set()
        self.lines = []

    def note(self, name, run, holds):
        try:
            result = run()
            wrong = None if holds(result) else f"unexpected: {str(result)[:300]}"
        except Exception as error:  # noqa: BLE001
            result = None
            wrong = f"{type(error).__name__}: {error}"
            traceback.print_exc()
        self.lines.append((name, wrong))
        print(f"{name}: {wrong or 'ok'}", flush=True)
        return result

    def call(self, name, /, *arguments, holds=lambda result: True, **named):
        """A function of `openstack_dashboard.api.neutron`."""
        self.called.add(name)
        function = getattr(neutron, name)
        return self.note(name, lambda: function(self.request(), *arguments, **named), holds)

    def fails(self, name, *arguments):
        """A function that cannot work beside any Neutron; the answer that it reads came, though."""
        self.called.add(name)

        def run():
            try:
                getattr(neutron, name)(self.request(), *arguments)
            except Exception as error:  # noqa: BLE001
                return f"{type(error).__name__}: {error}"
            return None

        self.note(f"{name} (breaks by itself)", run, lambda wrong: wrong == BROKEN[name])

    def view(self, view, method, query=None, data=None, holds=lambda body: True, **ids):
        """A view of Horizon's REST API; its answer's body."""
        self.called.add(view.__name__)

        def run():
            request = self.request(method, "/", query, data)
            answer = view.as_view()(request, **ids)
            if answer.status_code >= 300:
                raise RuntimeError(f"{answer.status_code} {answer.content!r}")
            return json.loads(answer.content) if answer.content else None

        return self.note(f"REST {method} {view.__name__}", run, holds)


def has(name, value):
    return lambda result: getattr(result, name) == value


def lists(wanted):
    """A list in which these ids are."""
    return lambda result: {each.id for each in wanted} <= {each["id"] for each in result}


def items(wanted):
    return lambda body: {each.id for each in wanted} <= {each["id"] for each in body["items"]}


def nothing(result):
    return result is None


def extensions(a):
    a.call("list_extensions", holds=lambda found: len(found) > 50)
    a.call("is_extension_supported", "floating-ip-port-forwarding", holds=bool)
    a.call("is_extension_floating_ip_port_forwarding_supported", holds=bool)
    a.call("is_service_enabled", "enable_router", "router", holds=bool)
    a.call("is_quotas_extension_supported", holds=bool)
    a.call("is_router_enabled", holds=bool)
    a.call("get_feature_permission", "ext-gw-mode", "create_router_enable_snat", holds=bool)
    a.call("list_availability_zones", resource="network", holds=len)
    a.call("list_availability_zones", resource="router", state="available", holds=len)
    a.call("provider_list", holds=lambda found: list(found) is not None)
    a.view(rest.Extensions, "GET", holds=lambda body: len(body["items"]) > 50)


def networks(a, project):
    net = a.call("network_create", name="blue", is_admin_state_up=True, holds=has("name", "blue"))
    a.call("network_create", name="vlan", provider_network_type="vxlan", holds=has("name", "vlan"))
    a.call("network_get", net.id, holds=has("name", "blue"))
    a.call("network_update", net.id, name="navy", holds=has("name", "navy"))
    a.call("network_list", holds=lists([net]))
    a.call("network_list", tenant_id=project, is_shared=False, holds=lists([net]))
    a.call("network_list", id=[net.id], holds=lambda found: [n.id for n in found] == [net.id])
    a.call("network_list", **{"router:external": True}, holds=len)
    pages = {"marker_id": None, "sort_dir": "asc"}
    paged = a.call("network_list_paged", pages, holds=lambda found: found[0])
    last = paged[0][0].id
    a.call("network_list_paged", {"marker_id": last, "sort_dir": "asc"})
    a.call("network_list_for_tenant", project, holds=lists([net]))
    whole = {"include_external": True, "holds": lambda found: lists([net])(found[0])}
    a.call("network_list_for_tenant", project, page_data=dict(pages), **whole)
    sub = a.call("subnet_create", net.id, name="s", cidr="10.50.0.0/24", ip_version=4,
                 gateway_ip="10.50.0.1", is_dhcp_enabled=True,
                 allocation_pools=[{"start": "10.50.0.10", "end": "10.50.0.200"}],
                 dns_nameservers=["192.0.2.1"],
                 host_routes=[{"destination": "192.0.2.0/24", "nexthop": "10.50.0.2"}],
                 holds=has("cidr", "10.50.0.0/24"))
    a.call("subnet_get", sub.id, holds=has("gateway_ip", "10.50.0.1"))
    a.call("subnet_update", sub.id, name="t", dns_nameservers=[], holds=has("name", "t"))
    a.call("subnet_list", network_id=net.id, holds=lists([sub]))
    a.call("network_get", net.id, holds=lambda found: [s.id for s in found.subnets] == [sub.id])
    a.call("show_network_ip_availability", net.id, holds=lambda found: found["total_ips"] == 191)
    made = a.view(rest.Networks, "POST", data={"name": "rest", "is_admin_state_up": True})
    a.view(rest.Networks, "GET", holds=items([net]))
    a.view(rest.Subnets, "POST", holds=lambda body: body["cidr"] == "10.51.0.0/24",
           data={"network_id": made["id"], "cidr": "10.51.0.0/24", "ip_version": 4})
    a.view(rest.Subnets, "GET", query={"network_id": net.id}, holds=items([sub]))
    a.call("network_delete", made["id"], holds=nothing)
    return net, sub


def pools(a):
    pool = a.call("subnetpool_create", "pool", ["10.60.0.0/16"], default_prefix_length=24,
                  holds=has("name", "pool"))
    a.call("subnetpool_get", pool.id, holds=has("name", "pool"))
    a.call("subnetpool_update", pool.id, name="lake", holds=has("name", "lake"))
    a.call("subnetpool_list", holds=lists([pool]))
    net = a.call("network_create", name="pooled")
    a.call("subnet_create", net.id, ip_version=4, subnet_pool_id=pool.id, prefix_length=26,
           holds=has("subnet_pool_id", pool.id))
    a.call("network_delete", net.id, holds=nothing)
    a.call("subnetpool_delete", pool.id)


def ports(a, net, sub, project):
    port = a.call("port_create", net.id, name="p", device_id=SERVER.id, device_owner="compute:nova",
                  fixed_ips=[{"subnet_id": sub.id, "ip_address": "10.50.0.50"}],
                  binding__vnic_type="normal", holds=has("name", "p"))
    a.call("port_get", port.id, holds=lambda found: found.fixed_ips[0]["ip_address"] == "10.50.0.50")
    a.call("port_update", port.id, name="q", is_admin_state_up=True, holds=has("name", "q"))
    pair = [{"ip_address": "10.50.0.77"}]
    a.call("port_update", port.id, allowed_address_pairs=pair,
           holds=lambda found: found.allowed_address_pairs[0]["ip_address"] == "10.50.0.77")
    a.call("port_list", network_id=net.id, holds=lists([port]))
    a.call("port_list", holds=lists([port]))
    a.call("port_list_with_trunk_types", network_id=net.id, project_id=project, holds=lists([port]))
    a.view(rest.Ports, "GET", query={"network_id": net.id}, holds=items([port]))
    return port


def routers(a, net, sub):
    public = next(each for each in a.call("floating_ip_pools_list", holds=len) if each.name == "public")
    router = a.call("router_create", name="r", holds=has("name", "r"))
    a.call("router_get", router.id, holds=has("name", "r"))
    a.call("router_update", router.id, name="s", is_admin_state_up=True, holds=has("name", "s"))
    a.call("router_list", holds=lists([router]))
    a.call("router_list", tenant_id=a.request().user.tenant_id, holds=lists([router]))
    a.call("router_add_gateway", router.id, public.id, enable_snat=True, holds=nothing)
    gateway = lambda found: found.external_gateway_info["network_id"] == public.id  # noqa: E731
    a.call("router_get", router.id, holds=gateway)
    a.call("router_add_interface", router.id, subnet_id=sub.id,
           holds=lambda found: found["subnet_id"] == sub.id)
    extra = a.call("port_create", net.id, name="leg")
    a.call("router_remove_interface", router.id, subnet_id=sub.id)
    a.call("router_add_interface", router.id, port_id=extra.id,
           holds=lambda found: found["port_id"] == extra.id)
    a.call("router_remove_interface", router.id, port_id=extra.id)
    a.call("router_add_interface", router.id, subnet_id=sub.id)
    route = {"destination": "203.0.113.0/24", "nexthop": "10.50.0.9"}
    a.call("router_static_route_add", router.id, route, holds=lambda found: len(found.routes) == 1)
    found = a.call("router_static_route_list", router.id, holds=len)
    a.call("router_static_route_remove", router.id, [found[0].id],
           holds=lambda found: not found.routes)
    return public, router


def floating_ips(a, public, port):
    fip = a.call("tenant_floating_ip_allocate", public.id, description="d", holds=has("port_id", None))
    a.call("tenant_floating_ip_get", fip.id, holds=has("id", fip.id))
    a.call("tenant_floating_ip_list", holds=lists([fip]))
    a.call("tenant_floating_ip_list", all_tenants=True, holds=lists([fip]))
    a.call("floating_ip_supported", holds=bool)
    a.call("floating_ip_simple_associate_supported", holds=lambda found: found is False)
    targets = a.call("floating_ip_target_list", holds=len)
    a.call("floating_ip_target_list_by_instance", SERVER.id, holds=len)
    a.call("floating_ip_target_list_by_instance", SERVER.id, targets, holds=len)
    target = next(each for each in targets if each.port_id == port.id)
    a.call("floating_ip_associate", fip.id, target.id, holds=nothing)
    a.call("tenant_floating_ip_get", fip.id, holds=has("instance_id", SERVER.id))
    server = types.SimpleNamespace(id=SERVER.id, addresses={})
    a.call("servers_update_addresses", [server], all_tenants=True)
    kinds = lambda _: {"fixed", "floating"} == {  # noqa: E731
        each["OS-EXT-IPS:type"] for found in server.addresses.values() for each in found}
    a.note("servers_update_addresses (what it found)", lambda: server.addresses, kinds)
    a.call("floating_ip_disassociate", fip.id, holds=nothing)
    forward = a.call("floating_ip_port_forwarding_create", fip.id, protocol="TCP", internal_port="80",
                     external_port="8080", internal_ip_address="10.50.0.50",
                     internal_port_id=port.id, description="d", holds=has("protocol", "tcp"))
    ranged = a.call("floating_ip_port_forwarding_create", fip.id, protocol="UDP",
                    internal_port="100:110", external_port="200:210",
                    internal_ip_address="10.50.0.50", internal_port_id=port.id,
                    holds=has("external_port_range", "200:210"))
    a.call("floating_ip_port_forwarding_list", fip.id, holds=lists([forward, ranged]))
    a.call("floating_ip_port_forwarding_get", fip.id, forward.id,
           holds=has("external_port_range", "8080"))
    a.call("floating_ip_port_forwarding_update", fip.id, portforwarding_id=forward.id,
           protocol="TCP", internal_port="81", external_port="8081",
           internal_ip_address="10.50.0.50", internal_port_id=port.id,
           holds=has("external_port_range", "8081"))
    for each in (forward, ranged):
        a.call("floating_ip_port_forwarding_delete", fip.id, each.id, holds=nothing)
        # Horizon 27.0.0 hands the SDK the two ids in the wrong order, and takes "not found" for done.
        neutron.networkclient(a.request()).delete_port_forwarding(each.id, fip.id)
    a.call("tenant_floating_ip_release", fip.id, holds=nothing)


def security_groups(a):
    group = a.call("security_group_create", "g", "d", holds=has("name", "g"))
    a.call("security_group_get", group.id, holds=has("name", "g"))
    a.call("security_group_update", group.id, "h", "e", holds=has("name", "h"))
    a.call("security_group_list", holds=lists([group]))
    rule = a.call("security_group_rule_create", group.id, "ingress", "IPv4", "tcp", 22, 22,
                  "0.0.0.0/0", None, description="ssh", holds=has("ip_protocol", "tcp"))
    other = a.call("security_group_rule_create", group.id, "ingress", "IPv6", None, None, None,
                   None, group.id, holds=lambda found: found.group["name"] == "h")
    a.call("server_update_security_groups", SERVER.id, [group.id], holds=nothing)
    a.call("server_security_groups", SERVER.id, holds=lists([group]))
    a.call("server_update_security_groups", SERVER.id, [], holds=nothing)
    for each in (rule, other):
        a.call("security_group_rule_delete", each.id, holds=nothing)
    a.call("security_group_delete", group.id, holds=nothing)


def quotas(a, project):
    a.fails("tenant_quota_get", project)
    a.call("tenant_quota_update", project, network=77, holds=lambda found: found["networks"] == 77)
    a.call("tenant_quota_detail_get", project, holds=lambda found: found["network"]["limit"] == 77)
    a.call("default_quota_get", project, holds=lambda found: found.get("networks").limit == 100)
    fields = dict.fromkeys(horizon_quotas.NEUTRON_QUOTA_FIELDS, 78)
    a.view(rest.QuotasSets, "PATCH", data=fields, project_id=project)
    a.call("tenant_quota_detail_get", project, holds=lambda found: found["router"]["limit"] == 78)


def agents(a, net, router):
    found = a.call("agent_list", holds=len)
    dhcp = next(each for each in found if each.agent_type == "DHCP agent")
    l3 = next(each for each in found if each.agent_type == "L3 agent")
    a.call("list_dhcp_agent_hosting_networks", net.id, holds=lists([dhcp]))
    a.call("list_l3_agent_hosting_router", router.id, holds=lists([l3]))
    a.call("router_list_on_l3_agent", l3.id, holds=lists([router]))
    a.call("remove_network_from_dhcp_agent", dhcp.id, net.id)
    a.call("list_dhcp_agent_hosting_networks", net.id, holds=lambda found: not found)
    a.call("add_network_to_dhcp_agent", dhcp.id, net.id)
    a.call("list_dhcp_agent_hosting_networks", net.id, holds=lists([dhcp]))
    a.view(rest.Services, "GET", holds=lambda body: len(body["items"]) == len(found))


def trunks(a, net, project):
    parent, child, other = (a.call("port_create", net.id, name=name) for name in "abc")
    trunk = a.call("trunk_create", name="t", port_id=parent.id, sub_ports=[], holds=has("name", "t"))
    a.call("trunk_show", trunk.id, holds=has("port_id", parent.id))
    a.call("trunk_list", project_id=project, holds=lists([trunk]))
    old = {"name": "t", "description": "", "is_admin_state_up": True, "sub_ports": []}
    sub = {"port_id": child.id, "segmentation_id": 7, "segmentation_type": "vlan"}
    new = {**old, "name": "u", "sub_ports": [sub]}
    a.call("trunk_update", trunk.id, old, new, holds=lambda found: len(found.sub_ports) == 1)
    a.call("port_list_with_trunk_types", network_id=net.id,
           holds=lambda found: sum(isinstance(p, neutron.PortTrunkSubport) for p in found) == 1)
    third = {"port_id": other.id, "segmentation_id": 8, "segmentation_type": "vlan"}
    a.view(rest.Trunk, "PATCH", data=[new, {**new, "sub_ports": [third]}], trunk_id=trunk.id)
    a.view(rest.Trunk, "GET", trunk_id=trunk.id,
           holds=lambda body: [s["port_id"] for s in body["sub_ports"]] == [other.id])
    a.view(rest.Trunks, "GET", holds=items([trunk]))
    a.view(rest.Trunk, "DELETE", trunk_id=trunk.id)
    a.view(rest.Trunks, "POST", data={"name": "v", "port_id": parent.id, "sub_ports": []},
           holds=lambda body: body["name"] == "v")
    made = next(each for each in a.call("trunk_list", holds=len) if each.name == "v")
    a.call("trunk_delete", made.id, holds=nothing)
    for port in (parent, child, other):
        a.call("port_delete", port.id, holds=nothing)


RULES = [
    ("bandwidth_limit_rule", {"max_kbps": 1000, "direction": "egress"}, {"max_kbps": 2000},
     rest.BandwidthLimitRules, rest.BandwidthLimitRule),
    ("dscp_marking_rule", {"dscp_mark": 10}, {"dscp_mark": 12},
     rest.DSCPMarkingRules, rest.DSCPMarkingRule),
    ("minimum_bandwidth_rule", {"min_kbps": 10, "direction": "egress"}, {"min_kbps": 20},
     rest.MinimumBandwidthRules, rest.MinimumBandwidthRule),
    ("minimum_packet_rate_rule", {"min_kpps": 10, "direction": "egress"}, {"min_kpps": 20},
     rest.MinimumPacketRateRules, rest.MinimumPacketRateRule),
]


def qos(a):
    policy = a.call("policy_create", name="slow", description="d", holds=has("name", "slow"))
    a.call("policy_get", policy.id, holds=has("name", "slow"))
    a.call("policy_list", holds=lists([policy]))
    for kind, first, second, many, one in RULES:
        (name, value), = second.items()
        rule = a.call(f"{kind}_create", policy.id, **first, holds=lambda found: found.id)
        a.call(f"{kind}_update", policy.id, rule.id, **second, holds=has(name, value))
        a.call(f"{kind}_delete", policy.id, rule.id, holds=nothing)
        made = a.view(many, "POST", data=first, policy_id=policy.id)
        a.view(one, "PATCH", data=second, policy_id=policy.id, rule_id=made["id"])
        a.view(one, "DELETE", policy_id=policy.id, rule_id=made["id"])
    a.view(rest.QoSPolicies, "GET", holds=items([policy]))
    a.view(rest.QoSPolicies, "POST", data={"name": "rest"}, holds=lambda body: body["name"] == "rest")
    a.view(rest.QoSPolicy, "GET", policy_id=policy.id, holds=lambda body: body["name"] == "slow")
    a.view(rest.QoSPolicy, "DELETE", policy_id=policy.id)
    made = next(each for each in a.call("policy_list", holds=len) if each.name == "rest")
    a.call("policy_delete", made.id, holds=nothing)


def rbac(a, net, project):
    policy = a.call("rbac_policy_create", target_tenant=project, object_type="network",
                    object_id=net.id, action="access_as_shared", holds=has("object_id", net.id))
    a.call("rbac_policy_get", policy.id, holds=has("target_tenant", project))
    a.call("rbac_policy_list", holds=lists([policy]))
    a.call("rbac_policy_update", policy.id, target_tenant="*", holds=has("target_tenant", "*"))
    a.call("rbac_policy_delete", policy.id, holds=nothing)


def leave(a, net, sub, router, port):
    a.call("router_remove_gateway", router.id, holds=nothing)
    a.call("router_remove_interface", router.id, subnet_id=sub.id)
    a.call("router_delete", router.id, holds=nothing)
    a.call("port_delete", port.id, holds=nothing)
    for each in a.call("port_list", network_id=net.id):
        if each.device_owner == "":
            a.call("port_delete", each.id, holds=nothing)
    a.call("subnet_delete", sub.id, holds=nothing)
    a.call("network_delete", net.id, holds=nothing)


# No URL leads to this view, and it does nothing but call `tenant_quota_get`.
UNREACHABLE = {"DefaultQuotaSets"}
# What is no call: texts, settings, and what other functions are made of.
NO_CALLS = {
    "get_ipver_str", "get_auth_params_from_request", "networkclient", "unescape_port_kwargs",
    "list_resources_with_long_filters", "update_pagination", "is_enabled_by_config",
}


def public_functions(module):
    for name, member in inspect.getmembers(module):
        own = getattr(member, "__module__", "") == module.__name__
        if own and not name.startswith("_") and (inspect.isfunction(member) or callable(member)):
            yield name, member


def uncalled(a):
    for name, member in public_functions(neutron):
        if not inspect.isclass(member) and name not in a.called | NO_CALLS:
            yield name
    for name, member in public_functions(rest):
        if inspect.isclass(member) and hasattr(member, "url_regex") and name not in a.called | UNREACHABLE:
            yield f"REST {name}"


def main():
    request = logged_in(os.environ["HORIZON_PROJECT"])
    project = request().user.project_id
    a = Ledger(request)
    extensions(a)
    net, sub = networks(a, project)
    pools(a)
    port = ports(a, net, sub, project)
    public, router = routers(a, net, sub)
    floating_ips(a, public, port)
    security_groups(a)
    quotas(a, project)
    agents(a, net, router)
    trunks(a, net, project)
    qos(a)
    rbac(a, net, project)
    leave(a, net, sub, router, port)
    a.lines.extend((name, "never called") for name in uncalled(a))
    for name, wrong in a.lines:
        if wrong:
            print(f"FAILED {name}: {wrong}")
    failed = sum(1 for _, wrong in a.lines if wrong)
    print(f"{len(a.lines) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
