"""What a command that failed raises."""


class CommandFailed(Exception):
    def __init__(self, returncode, cmd, output, stderr=""):
        super().__init__(f"{cmd!r} ended with {returncode}\n{output}\n{stderr}")
        self.returncode, self.cmd, self.stdout, self.stderr = returncode, cmd, output, stderr
