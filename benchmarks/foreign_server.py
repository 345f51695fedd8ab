"""ssh-tunnel-gateway's own server from PyPI, with as many agents in its state as a benchmark wants."""

import base64
import datetime
import json
import os
import subprocess

from stored_gateway import ADDRESS, PORTS

import programs
from commands import end, log_text
from foreign import API_KEY, ForeignServer, venv
from networks import listening
from waiting import wait_until


def _key_line():
    """The shape and length of the 2048-bit RSA keys it makes itself; it never looks into them again."""
    modulus = b"\0" + bytes([os.urandom(1)[0] | 0x80]) + os.urandom(254) + bytes([os.urandom(1)[0] | 1])
    fields = (b"ssh-rsa", b"\1\0\1", modulus)
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return "ssh-rsa " + base64.b64encode(blob).decode()


class SeededServer(ForeignServer):
    """The real server, under an ordinary account, with `agent_ids` registered; `kill` and `start` keep its state."""

    def __init__(self, folder, agent_ids):
        super().__init__(folder, programs.ordinary_user(), leases=2)
        # Only its HTTP side is measured.
        self.sshd.close()
        self.kill()
        # The same ports as our gateway has, with room for more: it tries them by chance until one is free.
        self.env |= {"PORT_RANGE_START": str(PORTS[0]), "PORT_RANGE_END": str(PORTS[-1]),
                     "AGENT_REVERSE_BIND_HOST": ADDRESS}  # fmt: skip
        self._seed(agent_ids)
        self.start()

    def _seed(self, agent_ids):
        """Both files as it writes them."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        allocations, lines = [], []
        for port, agent_id in enumerate(agent_ids, PORTS[0]):
            line = _key_line()
            allocations.append({"agent_id": agent_id, "port_b": port, "public_key": line, "created_at": now,
                                "last_seen": now})  # fmt: skip
            lines.append('no-pty,no-agent-forwarding,no-X11-forwarding,no-user-rc,permitlisten='
                         f'"{ADDRESS}:{port}" {line} tunnel-agent={agent_id} port_b={port}\n')  # fmt: skip
        self.allocations.write_text(json.dumps({"allocations": allocations}, separators=(",", ":")))
        self.authorized.write_text("".join(lines))
        for path in (self.allocations, self.authorized):
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def kill(self):
        self.process.kill()
        self.process.wait(5)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*programs.as_user(self.account), venv() / "bin" / "ssh-tunnel-server"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={"PATH": os.environ["PATH"], "HOME": str(self.folder)} | self.env, cwd="/",
                start_new_session=True,
            )  # fmt: skip
        wait_until(lambda: listening(self.port), 20, lambda: f"their server listening:\n{log_text(self.log_path)}")

    def close(self):
        end(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


HEADERS = [f"X-API-Key: {API_KEY}"]
