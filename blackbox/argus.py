"""Argus' Python client 0.16.7 from PyPI, unmodified, and the private service that its tunnels lead to."""

import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading

import programs
from commands import end
from foreign import venv

PACKAGE = "argus-alm==0.16.7"


class PrivateService:
    """An HTTP service on loopback that says what it was asked, and keeps it: `.asked` holds (path, headers)."""

    def __init__(self):
        self.asked = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                service.asked.append((self.path, dict(self.headers)))
                body = json.dumps({"path": self.path}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server.server_address[1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def client_environment(folder):
    """Nothing of the account that runs the tests."""
    folder = pathlib.Path(folder)
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"HOME": str(folder), "ARGUS_TUNNEL_STATE_DIR": str(folder / "state"), "NO_PROXY": "127.0.0.1"}
    (folder / "state").mkdir(mode=0o700, exist_ok=True)
    environment.pop("SSH_AUTH_SOCK", None)
    return environment


# Resolves a key and opens the tunnel, says so, answers `get PATH` lines through it, and ends with its standard input.
OPENED = """
import json, sys, urllib.request
from argus.client.tunnel import SSHTunnel, resolve_tunnel_key
token, url, run_id = json.loads(sys.stdin.readline())
config, key, reason = resolve_tunnel_key(auth_token=token, base_url=url, run_id=run_id)
port = error = None
tunnel = None
if config is not None:
    tunnel = SSHTunnel(key)
    port, error = tunnel.establish(config)
print(json.dumps({"port": port, "error": error, "reason": reason, "key_id": config and config.key_id,
                  "key": key, "proxy": config and config.proxy_host}), flush=True)
for line in sys.stdin:
    word, _, path = line.strip().partition(" ")
    if word == "alive":
        print(json.dumps(tunnel.is_alive()), flush=True)
    else:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                print(json.dumps(answer.status), flush=True)
        except OSError as error:
            print(json.dumps(str(error)), flush=True)
if tunnel is not None:
    tunnel.shutdown()
"""


class ArgusTunnel:
    """The client's own tunnel in a process of its own: `.opened` is what it said first."""

    def __init__(self, gateway, run_id, token=None, folder=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="argus-", dir=programs.session_folder()))
        self.process = subprocess.Popen(
            [venv(PACKAGE) / "bin" / "python", "-c", OPENED], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=client_environment(self.folder), cwd=self.folder,
        )  # fmt: skip
        self.opened = self.ask(json.dumps([token or gateway.token, gateway.api.url, run_id]))

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.process.stderr.read()
        return json.loads(answer)

    def get(self, path):
        return self.ask(f"get {path}")

    def alive(self):
        return self.ask("alive")

    def close(self):
        self.process.stdin.close()
        end(self.process, 10)
        self.process.stdout.close()
        self.process.stderr.close()


def forward_command(gateway, key, local_port, target):
    """Stock `ssh -N -L` with a forward key."""
    return [*gateway.ssh_arguments(key), "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{local_port}:{target}",
            gateway.address]  # fmt: skip
