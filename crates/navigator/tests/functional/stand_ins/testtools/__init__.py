"""The part of the package `testtools` that the clients' own functional tests use."""

import unittest


class TestCase(unittest.TestCase):
    def useFixture(self, fixture):
        fixture.setUp()
        self.addCleanup(fixture.cleanUp)
        return fixture

    def assertEqual(self, expected, observed, message=""):
        super().assertEqual(expected, observed, message or None)

    def assertRaises(self, expected, function, *args, **kwargs):
        """As testtools: answers with the exception."""
        with super().assertRaises(expected) as raised:
            function(*args, **kwargs)
        return raised.exception

    def addOnException(self, handler):
        """Details are for reports that nobody reads here."""

    def addDetail(self, name, content):
        """As above."""
