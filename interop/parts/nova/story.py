"""What people do with servers and their network, asked of Nova, and what Nova made of it: a user who is
no more than a member, the compute host's devices, and the events that Nova's own log says it was told.

Each function below is a test, in this order, on the same servers. Ends with N passed, N failed."""

import os
import pathlib
import re
import signal
import sys
import time
import traceback

import openstack

PART = pathlib.Path(os.environ["INTEROP_DIR"])
# Another line of the log, with the same beginning, is for events that a server is not waiting for.
EVENT = re.compile(r"Received event (network-[a-z-]+)-([0-9a-f-]{36}) external_instance_event")


def connection(user, project):
    return openstack.connect(
        auth_url=os.environ["OS_AUTH_URL"], username=user, project_name=project,
        password=os.environ["INTEROP_PASSWORD"], user_domain_id="default",
        project_domain_id="default", region_name="RegionOne", load_yaml_config=False,
        load_envvars=False)


admin, tenant = connection("admin", "admin"), connection("tenant", "tenant")


def wait(what, holds, patience_s=60):
    """Until it holds; the last answer."""
    end = time.monotonic() + patience_s
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience_s} s: {what}")
        time.sleep(0.2)


def told(port):
    """The names of the events about a port that Nova's log has, in order."""
    log = (PART / "nova-compute.log").read_text(errors="replace")
    return [name for name, about in EVENT.findall(log) if about == port]


def wait_told(port, *names):
    """Nova was told these, in this order, whatever else it was told between them."""
    def in_order():
        events = iter(told(port))
        return all(name in events for name in names)
    wait(f"Nova is told {names} of {port}: it was told {told(port)}", in_order)


def device(port):
    return pathlib.Path("/sys/class/net") / f"tap{port[:11]}"


def addresses(server):
    shown = tenant.compute.get_server(server).addresses
    return {address["addr"] for network in shown.values() for address in network}


def port_of(server, network):
    [port] = tenant.network.ports(device_id=server.id, network_id=network.id)
    return port


def boot(name, nics):
    return tenant.compute.create_server(
        name=name, image_id=image.id, flavor_id=flavor.id, networks=nics)


def running(server):
    """Nova waits for the network before it runs a server; `ERROR` is the end of waiting."""
    return tenant.compute.wait_for_server(server, wait=90, interval=0.5)


def attached(server, network):
    """A new interface, once it works: its port and its address."""
    port = tenant.compute.create_server_interface(server, net_id=network.id).port_id
    wait("its port is up", lambda: tenant.network.get_port(port).status == "ACTIVE")
    address = tenant.network.get_port(port).fixed_ips[0]["ip_address"]
    wait("Nova shows its address", lambda: address in addresses(server))
    return port, address


def network(name, cidr):
    made = tenant.network.create_network(name=name)
    subnet = tenant.network.create_subnet(network_id=made.id, cidr=cidr, ip_version=4)
    return made, subnet


flavor = admin.compute.create_flavor(name="small", ram=64, vcpus=1, disk=1)
image = admin.create_image(
    "empty", data=b"\0" * 1024, disk_format="raw", container_format="bare", visibility="public",
    wait=True)
outside = admin.network.find_network("public")
front, front_subnet = network("front", "10.0.0.0/24")
back, _ = network("back", "10.1.0.0/24")
router = tenant.network.create_router(name="router", external_gateway_info={"network_id": outside.id})
tenant.network.add_interface_to_router(router, subnet_id=front_subnet.id)
made_before = tenant.network.create_port(network_id=front.id, name="made before")
servers = {}


def a_server_on_a_network_runs_once_its_port_is_plugged():
    servers["a"] = server = running(boot("a", [{"uuid": front.id}]))
    port = admin.network.get_port(port_of(server, front).id)
    assert (port.status, port.binding_vif_type) == ("ACTIVE", "tap"), port
    assert (port.binding_host_id, port.device_owner) == ("network-1", "compute:nova"), port
    assert device(port.id).joinpath("master").resolve().name == f"brq{front.id[:11]}"
    assert addresses(server) == {port.fixed_ips[0]["ip_address"]}
    assert told(port.id) == ["network-changed", "network-vif-plugged"], told(port.id)


def a_server_on_a_port_that_was_made_before_takes_it():
    servers["b"] = server = running(boot("b", [{"port": made_before.id}]))
    port = admin.network.get_port(made_before.id)
    assert (port.status, port.device_id) == ("ACTIVE", server.id), port
    assert addresses(server) == {made_before.fixed_ips[0]["ip_address"]}
    wait_told(port.id, "network-changed", "network-vif-plugged")


def a_server_waits_for_a_host_that_does_not_answer():
    agent = int((PART / "agent.pid").read_text())
    os.kill(agent, signal.SIGSTOP)
    try:
        server = boot("patient", [{"uuid": front.id}])
        made = lambda: list(tenant.network.ports(device_id=server.id))
        port = wait("its port is there", made)[0]
        wait("its device is there", device(port.id).exists)
        time.sleep(3)
        assert tenant.compute.get_server(server).status == "BUILD"
        assert "network-vif-plugged" not in told(port.id), told(port.id)
    finally:
        os.kill(agent, signal.SIGCONT)
    running(server)
    wait_told(port.id, "network-vif-plugged")
    tenant.compute.delete_server(server)
    tenant.compute.wait_for_delete(server, wait=60)


def an_interface_is_attached_and_detached():
    server = servers["a"]
    port, address = attached(server, back)
    wait_told(port, "network-changed", "network-vif-plugged")
    tenant.compute.delete_server_interface(port, server=server)
    wait("the port is gone", lambda: tenant.network.find_port(port) is None)
    wait("Nova shows it no more", lambda: address not in addresses(server))
    wait("its device is gone", lambda: not device(port).exists())
    wait_told(port, "network-vif-plugged", "network-vif-deleted")


def a_port_that_was_made_before_is_given_back_and_taken_again():
    server, port = servers["b"], made_before.id
    tenant.compute.delete_server_interface(port, server=server)

    def given_back():
        now = admin.network.get_port(port)
        return (now.device_id, now.device_owner, now.binding_host_id, now.status,
                now.binding_vif_type) == ("", "", "", "DOWN", "unbound")
    wait("the port is nobody's", given_back)
    wait("Nova shows no address", lambda: not addresses(server))
    before = len(told(port))
    tenant.compute.create_server_interface(server, port_id=port)
    wait("it is up again", lambda: tenant.network.get_port(port).status == "ACTIVE")
    wait("Nova shows it again", lambda: addresses(server))
    wait("Nova is told", lambda: "network-vif-plugged" in told(port)[before:])


def a_floating_ip_is_shown_where_it_is():
    a, b = servers["a"], servers["b"]
    first, second = port_of(a, front).id, made_before.id
    floating = tenant.network.create_ip(floating_network_id=outside.id)
    address = floating.floating_ip_address
    before = len(told(first)), len(told(second))
    tenant.network.update_ip(floating, port_id=first)
    wait("Nova shows it with a", lambda: address in addresses(a))
    tenant.network.update_ip(floating, port_id=second)
    wait("Nova shows it with b alone",
         lambda: address in addresses(b) and address not in addresses(a))
    tenant.network.delete_ip(floating)
    wait("Nova shows it no more", lambda: address not in addresses(b))
    assert told(first)[before[0]:] == ["network-changed"] * 2, told(first)
    assert told(second)[before[1]:] == ["network-changed"] * 2, told(second)


def a_port_that_the_administrator_deletes_leaves_its_server():
    """Its user may not: Nova may for the user, since it shows its own token too."""
    server = servers["a"]
    port, address = attached(server, back)
    try:
        tenant.network.delete_port(port)
    except openstack.exceptions.ForbiddenException:
        admin.network.delete_port(port)
    else:
        raise AssertionError("its user could")
    wait("Nova shows it no more", lambda: address not in addresses(server))
    wait("its device is gone", lambda: not device(port).exists())
    wait_told(port, "network-vif-deleted")


def without_ports_left_in_the_quota_nova_refuses_a_server():
    project = tenant.current_project_id
    used = len(list(tenant.network.ports(project_id=project)))
    admin.network.update_quota(project, ports=used)
    try:
        boot("one too many", [{"uuid": front.id}])
    except openstack.exceptions.ForbiddenException as refusal:
        assert "Maximum number of ports exceeded" in str(refusal), refusal
    else:
        raise AssertionError("it was taken")
    finally:
        admin.network.delete_quota(project)


def a_port_that_nothing_can_bind_is_the_end_of_its_server():
    """Nova asks for the binding and looks at `binding:vif_type` in the answer."""
    port = tenant.network.create_port(network_id=back.id, binding_vnic_type="baremetal")
    server = boot("nowhere", [{"port": port.id}])
    wait("it is refused", lambda: tenant.compute.get_server(server).status == "ERROR")
    log = (PART / "nova-compute.log").read_text(errors="replace")
    assert f"Binding failed for port {port.id}" in log, admin.compute.get_server(server).fault
    tenant.compute.delete_server(server)
    tenant.compute.wait_for_delete(server, wait=60)
    left = admin.network.get_port(port.id)
    assert (left.device_id, left.binding_vif_type) == ("", "unbound"), left


def with_its_server_goes_what_was_made_for_it():
    own = port_of(servers["a"], front).id
    for server in servers.values():
        tenant.compute.delete_server(server)
        tenant.compute.wait_for_delete(server, wait=60)
    wait("the port made for it is gone", lambda: tenant.network.find_port(own) is None)
    kept = admin.network.get_port(made_before.id)
    assert (kept.device_id, kept.binding_host_id, kept.status) == ("", "", "DOWN"), kept
    wait("the devices are gone", lambda: not device(own).exists() and not device(kept.id).exists())
    wait_told(own, "network-vif-deleted")


TESTS = [
    a_server_on_a_network_runs_once_its_port_is_plugged,
    a_server_on_a_port_that_was_made_before_takes_it,
    a_server_waits_for_a_host_that_does_not_answer,
    an_interface_is_attached_and_detached,
    a_port_that_was_made_before_is_given_back_and_taken_again,
    a_floating_ip_is_shown_where_it_is,
    a_port_that_the_administrator_deletes_leaves_its_server,
    without_ports_left_in_the_quota_nova_refuses_a_server,
    a_port_that_nothing_can_bind_is_the_end_of_its_server,
    with_its_server_goes_what_was_made_for_it,
]

failed = 0
for test in TESTS:
    began = time.monotonic()
    try:
        test()
        outcome = "passed"
    except Exception:
        traceback.print_exc(file=sys.stdout)
        outcome = "FAILED"
        failed += 1
    print(f"{outcome} {test.__name__.replace('_', ' ')} ({time.monotonic() - began:.1f} s)", flush=True)
print(f"{len(TESTS) - failed} passed, {failed} failed")
sys.exit(failed != 0)
