"""The base class of the SDK's tests."""

import testtools


class BaseTestCase(testtools.TestCase):
    pass
