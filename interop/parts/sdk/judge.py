"""Runs openstacksdk's functional tests of networks and judges what came of each.

    judge.py DIRECTORY expected.txt

All of them run as a member of a project, as the suite is meant to; those that then find nothing they
may see run once more as the administrator. Between tests nothing is done but one thing: ranges of
segments that a test leaves behind are removed, since the next test makes the same one again.

expected.txt says which tests do not pass, each with its reason: `WHO OUTCOME TEST REASON`, where WHO is
`member` or `administrator`, OUTCOME `skipped` or `broken` (fails by what the test itself does, whatever
the service answers), TEST and REASON are regular expressions. Every other outcome is a failure, and so
is a line that nothing fits.

Ends with `N passed, N failed, N skipped`; broken tests count as skipped.
"""

import collections
import os
import pathlib
import re
import sys
import time
import traceback
import unittest

import openstack

ADMINISTRATOR = "devstack-admin"
# What a member sees none of.
ONCE_MORE = ("test_agent", "test_agent_add_remove_network", "test_agent_add_remove_router", "test_router")
PASSWORD = "secret"


class Outcomes(unittest.TestResult):
    """Each test's name, outcome and reason."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.found = {}

    def note(self, test, outcome, reason=""):
        # A test may fail again while it tidies up: the first reason counts.
        self.found.setdefault(test.id().partition(".v2.")[2], (outcome, reason))

    def stopTest(self, test):
        if "TestNetworkSegmentRange" in test.id():
            for left in self.network.network_segment_ranges(name="test_name"):
                self.network.delete_network_segment_range(left)
        super().stopTest(test)

    def addSuccess(self, test, details=None):
        self.note(test, "passed")

    def addSkip(self, test, reason=None, details=None):
        self.note(test, "skipped", reason or details["reason"].as_text())

    def addError(self, test, err=None, details=None):
        told = "".join(traceback.format_exception(*err)) if err else ""
        for name, detail in (details or {}).items():
            if name.startswith("traceback"):
                told += detail.as_text()
        self.note(test, "failed", told)

    addFailure = addError


def people(cloud):
    """Members with projects of their own."""
    for name in ("sdk", "sdk_alt"):
        project = cloud.identity.create_project(name=name, domain_id="default")
        user = cloud.identity.create_user(name=name, password=PASSWORD, domain_id="default",
                                          default_project_id=project.id)
        role = cloud.identity.find_role("member")
        cloud.identity.assign_project_role_to_user(project, user, role)


class Defaults:
    """What a topology of a project's own is made from: as in DevStack, while the tests run."""

    POOLS = {"10.44.0.0/20": 26, "fd44::/48": 64}

    def __init__(self, network):
        self.network = network

    def __enter__(self):
        self.public = self.network.find_network("public", ignore_missing=False)
        self.network.update_network(self.public, is_default=True)
        self.pools = [
            self.network.create_subnet_pool(name=f"sdk-{length}", prefixes=[prefix], is_default=True,
                                            is_shared=True, default_prefix_length=length)
            for prefix, length in self.POOLS.items()
        ]

    def __exit__(self, *_):
        for pool in self.pools:
            self.network.delete_subnet_pool(pool)
        self.network.update_network(self.public, is_default=False)


def run(directory, network, modules="test_*"):
    outcomes = Outcomes(network)
    root = directory.parents[3]
    for module in sorted(directory.glob(f"v2/{modules}.py")):
        name = ".".join(module.relative_to(root).with_suffix("").parts)
        unittest.defaultTestLoader.loadTestsFromName(name).run(outcomes)
    return outcomes.found


class Expected:
    """The lines of expected.txt."""

    def __init__(self, file):
        lines = pathlib.Path(file).read_text().splitlines()
        self.lines = [line.split(None, 3) for line in lines if line and not line.startswith("#")]
        self.used = set()

    def outcome(self, who, test, outcome, reason):
        """`passed`, `skipped` or `broken` as expected, or `failed`."""
        if outcome == "passed":
            return outcome
        last = reason.strip().rpartition("\n")[2] if outcome == "failed" else reason
        for number, (of, expected, tests, reasons) in enumerate(self.lines):
            fits = re.fullmatch(tests, test) and re.match(reasons, last)
            named = {"broken": "failed"}.get(expected, expected)
            if of == who and named == outcome and fits:
                self.used.add(number)
                return expected
        return "failed"

    def unused(self):
        return [" ".join(line) for n, line in enumerate(self.lines) if n not in self.used]


def main(directory, file):
    cloud = openstack.connect(cloud=ADMINISTRATOR)
    people(cloud)
    directory, began = pathlib.Path(directory), time.monotonic()
    with Defaults(cloud.network):
        found = {"member": run(directory, cloud.network)}
        os.environ["OPENSTACKSDK_DEMO_CLOUD"] = ADMINISTRATOR
        once_more = {}
        for module in ONCE_MORE:
            once_more |= run(directory, cloud.network, module)
        found["administrator"] = once_more
    expected, counts, reasons = Expected(file), collections.Counter(), collections.Counter()
    for who, outcomes in found.items():
        for test, (outcome, reason) in sorted(outcomes.items()):
            judged = expected.outcome(who, test, outcome, reason)
            counts[judged] += 1
            if judged == "failed":
                print(f"FAILED {test} ({who}, {outcome})\n{reason}\n")
            elif judged != "passed":
                reasons[who, judged, reason.strip().rpartition("\n")[2]] += 1
    for line in expected.unused():
        counts["failed"] += 1
        print(f"FAILED nothing fits: {line}")
    for (who, judged, reason), count in sorted(reasons.items()):
        print(f"{judged} {count} ({who}): {reason}")
    print(f"{time.monotonic() - began:.0f} s")
    skipped = counts["skipped"] + counts["broken"]
    print(f"{counts['passed']} passed, {counts['failed']} failed, {skipped} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
