"""The WSGI application of the service that the environment names. Each reads the command line as its
own, which is the server's."""

import importlib
import os
import sys

sys.argv = sys.argv[:1]

application = importlib.import_module(os.environ["WSGI_SERVICE"]).application
