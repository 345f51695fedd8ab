"""`tidegate store` as an operator runs it, and a gateway to run it on."""

import json
import os

import programs
import pytest
from commands import run
from gateway import Gateway, available_modes
from tunnels import new_name


class Operator:
    """Runs the command on a gateway's state directory, as the gateway's own account or as root."""

    def __init__(self, gateway, is_root=True):
        self.gateway, self.account = gateway, None if is_root else gateway.account
        self.folder = gateway.folder / new_name("backups")
        self.folder.mkdir(mode=0o755)
        if self.account:
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)

    def words(self, *words):
        environment = ["--state-dir", self.gateway.state] if "--store" not in words else []
        return [*programs.as_user(self.account), programs.tidegate(), "store", *words, *environment]

    def run(self, *words, check=True):
        return run(self.words(*words), check=check, env=self.gateway.clean_environment(), deadline=60)

    def refused(self, *words):
        """What it says when it does not do it."""
        done = self.run(*words, check=False)
        assert done.returncode == 1 and done.stderr and "Fatal error" not in done.stderr, done
        return done.stderr

    def backup(self):
        path = self.folder / f"{new_name('backup')}.db"
        self.run("backup", path)
        return path

    def is_sound(self, path=None):
        done = self.run("check", "--json", *(["--store", f"sqlite:{path}"] if path else []), check=False)
        found = json.loads(done.stdout)
        assert found["sound"] == (done.returncode == 0) == (not found["findings"]), done
        return found["sound"]


@pytest.fixture(params=["root", "user-plain"])
def owner(request):
    """The account that the gateway belongs to; root for root's."""
    if reason := available_modes().get(request.param):
        pytest.skip(f"{request.param}: {reason}")
    with Gateway(request.param) as gateway:
        yield Operator(gateway, request.param == "root")


def machines(gateway):
    """Their ports by name."""
    rows = gateway.ok("GET", "/api/v1/machines?limit=1000")
    return {row["name"]: row["lease"] and row["lease"]["port"] for row in rows}


def add(gateway):
    return gateway.ok("POST", "/api/v1/machines", {"name": new_name("added")})["machine"]["name"]
