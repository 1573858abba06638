"""Judges a run of Tempest: subunit in, on the screen what failed and what was skipped, and why.

    judge.py skips.txt [known.txt] <run.subunit

Ends with `N passed, N failed, N skipped`. A test that is skipped for a reason which no line of
skips.txt (a regular expression, `#` for comments) matches from its begin counts as failed. One that
fails and that a line of known.txt names (`regular expression | why`) counts as neither passed nor
failed; a line there that no failure needs counts as a failure, so that the list stays true.
"""

import collections
import pathlib
import re
import sys

import subunit
import testtools

OUTCOMES = {"success": "passed", "xfail": "passed", "skip": "skipped", "exists": "listed"}


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
    return [each for each in found if each[1] != "listed"] + unheard(found)


def unheard(found):
    """Tests that were listed and of which nothing was heard, not even that their class was."""
    heard = {test for test, outcome, _, _ in found if outcome != "listed"}
    listed = {test for test, outcome, _, _ in found if outcome == "listed"}
    classes = {test.partition("(")[2].rstrip(")") for test in heard if test.startswith("setUpClass")}
    missing = (test for test in listed - heard if test.rpartition(".")[0] not in classes)
    return [(test, "failed", "it did not run", 0) for test in missing]


def lines(path):
    text = pathlib.Path(path).read_text().splitlines()
    return [line for line in text if line and not line.startswith("#")]


def main(skips, known=None):
    allowed = lines(skips)
    excuses = [line.split(" | ") for line in lines(known)] if known else []
    needed = set()
    found = outcomes(sys.stdin.buffer)
    counts = collections.Counter()
    reasons = collections.Counter()
    for test, outcome, reason, _ in sorted(found):
        if outcome == "skipped":
            reasons["skipped: " + reason] += 1
            if not any(re.match(line, reason) for line in allowed):
                outcome = "failed"
        elif outcome == "failed":
            excuse = next((why for name, why in excuses if re.search(name, test)), None)
            if excuse:
                needed.add(excuse)
                reasons["known to fail: " + excuse] += 1
                outcome = "known"
        counts[outcome] += 1
        if outcome == "failed":
            print(f"FAILED {test}\n{reason}\n")
    for name, why in excuses:
        if why not in needed:
            counts["failed"] += 1
            print(f"FAILED nothing needs to be known of {name}: {why}\n")
    for reason, count in reasons.most_common():
        print(f"{count} {reason}")
    slowest = sorted(found, key=lambda each: -each[3])[:5]
    for test, _, _, seconds in slowest:
        print(f"{seconds:6.1f} s {test}")
    print("{passed} passed, {failed} failed, {skipped} skipped".format_map(counts))
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
