"""The part of the package `fixtures` that the clients' own functional tests use."""

import os


class Fixture:
    def __init__(self):
        self._cleanups = []

    def setUp(self):
        self._cleanups = []

    def addCleanup(self, function, *args, **kwargs):
        self._cleanups.append((function, args, kwargs))

    def cleanUp(self):
        while self._cleanups:
            function, args, kwargs = self._cleanups.pop()
            function(*args, **kwargs)


class EnvironmentVariable(Fixture):
    def __init__(self, name, value=None):
        super().__init__()
        self.name, self.value = name, value

    def setUp(self):
        super().setUp()
        self.addCleanup(self._set, os.environ.get(self.name))
        self._set(self.value)

    def _set(self, value):
        if value is None:
            os.environ.pop(self.name, None)
        else:
            os.environ[self.name] = value
