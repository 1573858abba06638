"""Keystone's WSGI application. It reads the command line as its own, which is the server's."""

import sys

sys.argv = ["keystone"]

from keystone.wsgi.api import application  # noqa: E402, F401
