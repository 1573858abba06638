"""Runs functional tests that the stock clients bring with them, as they are, and says how each
ended: one JSON object a line.

    run.py sdk|client [part of a test's name]

The clients' tests come with their packages; the test libraries that they build on do not, and what
they use of those stands in `stand_ins` if the real ones are missing. The client's commands run in
this process: starting Python for each would take longer than all of the tests.
"""

import contextlib
import importlib.util
import io
import json
import os
import pathlib
import shlex
import sys
import traceback
import unittest

SUITES = {
    "sdk": "openstack.tests.functional.network.v2",
    "client": "openstackclient.tests.functional.network.v2",
}


def stand_in():
    here = pathlib.Path(__file__).parent / "stand_ins"
    libraries = ("fixtures", "testtools", "oslotest", "tempest")
    if any(importlib.util.find_spec(name) is None for name in libraries):
        sys.path.insert(0, str(here))


def run_here(command, *, fail_ok=False):
    """`openstack …` in this process, as a process of its own would."""
    from openstackclient import shell
    from tempest.lib import exceptions

    words = shlex.split(command)
    out, err = io.StringIO(), io.StringIO()
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("OS_")}
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = shell.OpenStackShell().run(words[1:])
            except SystemExit as ended:
                status = ended.code
    finally:
        os.environ.update(hidden)
    if status and not fail_ok:
        raise exceptions.CommandFailed(status, command, out.getvalue(), err.getvalue())
    return out.getvalue()


class Report(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out

    def say(self, test, outcome, reason=""):
        line = {"test": test.id(), "outcome": outcome, "reason": reason.strip()}
        print(json.dumps(line), file=self.out, flush=True)

    def addSuccess(self, test):
        self.say(test, "passed")

    def addSkip(self, test, reason):
        self.say(test, "skipped", reason)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.say(test, "failed", "".join(traceback.format_exception(*error)))

    addError = addFailure


def tests(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests(test)
        else:
            yield test


def main(which, part=""):
    stand_in()
    # Their connections and commands log much; only the report is for the caller.
    out, sys.stdout = sys.stdout, sys.stderr
    if which == "client":
        from openstackclient.tests.functional import base

        base.execute = run_here
    package = importlib.import_module(SUITES[which])
    found = unittest.defaultTestLoader.discover(package.__path__[0], top_level_dir=None)
    chosen = unittest.TestSuite(test for test in tests(found) if part in test.id())
    report = Report(out)
    chosen.run(report)
    return 0 if report.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
