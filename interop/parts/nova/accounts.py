"""Makes the accounts of the services and their endpoints, and a project `tenant` with a user of that
name who is no more than a member."""

import os

import openstack

cloud = openstack.connect(load_yaml_config=False)
password = os.environ["INTEROP_PASSWORD"]
roles = {role.name: role for role in cloud.identity.roles()}


def account(name, project, *granted):
    user = cloud.identity.create_user(
        name=name, password=password, domain_id="default", default_project_id=project.id)
    for role in granted:
        if role not in roles:
            roles[role] = cloud.identity.create_role(name=role)
        cloud.identity.assign_project_role_to_user(project, user, roles[role])


service = cloud.identity.find_project("service")
for name, kind, url in (
        ("nova", "compute", "http://127.0.0.1:8774/v2.1"),
        ("placement", "placement", "http://127.0.0.1:8778"),
        ("glance", "image", "http://127.0.0.1:9292")):
    account(name, service, "admin", "service")
    made = cloud.identity.create_service(name=name, type=kind)
    for interface in ("public", "internal", "admin"):
        cloud.identity.create_endpoint(
            service_id=made.id, interface=interface, url=url, region_id="RegionOne")
tenant = cloud.identity.create_project(name="tenant", domain_id="default")
account("tenant", tenant, "member", "reader")
