"""Judges a run of Tempest: subunit in, on the screen what failed and what was skipped, and why.

    judge.py skips.txt <run.subunit

Ends with `N passed, N failed, N skipped`. A test that is skipped for a reason which no line of
skips.txt (a regular expression, `#` for comments) matches from its begin counts as failed.
"""

import collections
import pathlib
import re
import sys

import subunit
import testtools

OUTCOMES = {"success": "passed", "xfail": "passed", "skip": "skipped"}


def outcomes(stream):
    """Each test's id, outcome, reason and seconds."""
    found = []

    def note(test):
        details = {name: content.as_text() for name, content in test["details"].items()}
        text = "\n".join(text for name, text in details.items() if "traceback" in name)
        begin, end = test["timestamps"]
        seconds = (end - begin).total_seconds() if begin and end else 0
        outcome = OUTCOMES.get(test["status"], "failed")
        reason = details.get("reason", "").strip() if outcome == "skipped" else text
        found.append((re.sub(r"\[.*", "", test["id"]), outcome, reason, seconds))

    result = testtools.StreamToDict(note)
    result.startTestRun()
    subunit.ByteStreamToStreamResult(stream, non_subunit_name="output").run(result)
    result.stopTestRun()
    return found


def main(skips):
    lines = pathlib.Path(skips).read_text().splitlines()
    allowed = [line for line in lines if line and not line.startswith("#")]
    found = outcomes(sys.stdin.buffer)
    counts = collections.Counter()
    reasons = collections.Counter()
    for test, outcome, reason, _ in sorted(found):
        if outcome == "skipped":
            reasons[reason] += 1
            if not any(re.match(line, reason) for line in allowed):
                outcome = "failed"
        counts[outcome] += 1
        if outcome == "failed":
            print(f"FAILED {test}\n{reason}\n")
    for reason, count in reasons.most_common():
        print(f"skipped {count}: {reason}")
    slowest = sorted(found, key=lambda each: -each[3])[:5]
    for test, _, _, seconds in slowest:
        print(f"{seconds:6.1f} s {test}")
    print("{passed} passed, {failed} failed, {skipped} skipped".format_map(counts))
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
