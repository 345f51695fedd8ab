"""`tidegate login` as a person sees it: it shows an address and a code, and waits."""

import contextlib
import re
import subprocess

import leaks
import programs
from commands import end


class DeviceLogin:
    """`tidegate login URL` as it waits, with what it showed."""

    def __init__(self, gateway, home, *words):
        environment = gateway.clean_environment() | {"TIDEGATE_HOME": str(home)}
        if gateway.certificates:
            environment["TIDEGATE_CA_FILE"] = str(gateway.certificates)
        self.process = subprocess.Popen(
            [programs.tidegate(), "login", gateway.api.url, "--json", *words], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        said = ""
        while "Waiting" not in said:
            line = self.process.stderr.readline()
            assert line, said
            said += line
        self.address = re.search(r"^ {4}(http\S+)$", said, re.M).group(1)
        self.code = re.search(r"^ {4}([A-Z]{4}-[A-Z]{4})$", said, re.M).group(1)
        leaks.note("a user_code", self.code)

    def finish(self, deadline=30):
        out, err = self.process.communicate(timeout=deadline)
        return self.process.returncode, out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        with contextlib.suppress(OSError, ValueError):
            self.process.stdout.close()
            self.process.stderr.close()
