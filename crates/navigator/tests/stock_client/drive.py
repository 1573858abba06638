"""Runs one command of the openstack client per line of standard input (a JSON list of arguments) and
answers with a line of JSON: exit status, standard output, standard error.

Calls what the installed `openstack` program calls, in one process: starting it takes a second each
time. The client itself is not touched.
"""

import contextlib
import io
import json
import sys

from openstackclient import shell


def run(argv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = shell.main(argv)
        except SystemExit as end:
            status = end.code or 0
    return {"status": status, "stdout": out.getvalue(), "stderr": err.getvalue()}


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
