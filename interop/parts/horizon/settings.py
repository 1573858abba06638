"""What Django and Horizon want to know before `openstack_dashboard.api` can be used without a server."""

import os

from horizon.defaults import *  # noqa: F403
from openstack_auth.defaults import *  # noqa: F403
from openstack_dashboard import exceptions
from openstack_dashboard.defaults import *  # noqa: F403

HORIZON_CONFIG = {
    "exceptions": {
        "recoverable": exceptions.RECOVERABLE,
        "not_found": exceptions.NOT_FOUND,
        "unauthorized": exceptions.UNAUTHORIZED,
    },
}
SECRET_KEY = "of nobody"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "openstack_auth",
    "horizon",
    "openstack_dashboard",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
AUTH_USER_MODEL = "openstack_auth.User"
ROOT_URLCONF = "openstack_dashboard.api.rest.urls"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
WEBROOT = "/"
STATIC_URL = "/static/"
OPENSTACK_KEYSTONE_URL = os.environ["OS_AUTH_URL"]
# Everything that the panels can do.
OPENSTACK_NEUTRON_NETWORK = {
    **OPENSTACK_NEUTRON_NETWORK,  # noqa: F405
    "enable_distributed_router": True,
    "enable_ha_router": True,
    "enable_fip_topology_check": True,
    "enable_quotas": True,
    "enable_router": True,
    "enable_rbac_policy": True,
    "enable_auto_allocated_network": True,
}
