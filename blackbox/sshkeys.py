"""ed25519 keys, and the files an `ssh` client reads."""

import itertools
import os
import pathlib

from commands import run

_numbers = itertools.count(1)


class KeyPair:
    """An ed25519 key: `.private` and `.public` are paths, `.line` is `type base64`."""

    def __init__(self, folder, name="key"):
        self.private = pathlib.Path(folder) / f"{name}-{next(_numbers)}"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.private], check=True)
        self.public = self.private.with_name(self.private.name + ".pub")
        self.line = " ".join(self.public.read_text().split()[:2])

    @property
    def fingerprint(self):
        return run(["ssh-keygen", "-l", "-f", self.public], check=True).stdout.split()[1]


def known_hosts_line(host, port, line):
    return f"[{host}]:{port} {line}" if port != 22 else f"{host} {line}"


def client_options(key, known_hosts):
    """What every scripted ssh gets: this key only, these host keys only, nothing of the account that runs the tests."""
    return [
        "-F", "none", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
        "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={known_hosts}",
        "-o", "GlobalKnownHostsFile=/dev/null", "-o", "ConnectTimeout=15", "-o", "UpdateHostKeys=no",
        "-o", "PasswordAuthentication=no", "-o", "KbdInteractiveAuthentication=no",
    ]  # fmt: skip


def client_config(path, keys, known_hosts):
    """The same as a file, because `ssh -J` hands its hop a `-F` but no `-i`."""
    lines = ["Host *", "  IdentitiesOnly yes", "  IdentityAgent none", "  BatchMode yes", "  UpdateHostKeys no"]
    lines += ["  StrictHostKeyChecking yes", f"  UserKnownHostsFile {known_hosts}", "  ConnectTimeout 15"]
    lines += ["  GlobalKnownHostsFile /dev/null", *[f"  IdentityFile {key}" for key in keys]]
    pathlib.Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.chmod(path, 0o600)
    return path
