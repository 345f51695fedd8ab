"""Users of a gateway with tokens of their own, as the operator on its host makes them."""

import json
import uuid

import leaks
from sshkeys import KeyPair
from tunnels import Jump


PHRASE = "correct horse battery"


def operator(gateway, *words, check=True, **options):
    """Runs `tidegate WORDS` as the operator on the gateway's host does, through admin.sock."""
    environment = {"TIDEGATE_URL": "", "TIDEGATE_TOKEN_FILE": "", "TIDEGATE_TOKEN": ""}
    return gateway.cli(*words, "--state-dir", str(gateway.state), check=check, environment=environment, **options)


def set_password(gateway, name="admin", phrase=PHRASE):
    """As the operator of the gateway's host, who needs no token."""
    leaks.note("a password", phrase)
    operator(gateway, "user", "password", name, input=phrase + "\n")


class Person:
    """A user of that role, with a token; behaves like the gateway towards `Jump`, but asks as this user."""

    def __init__(self, gateway, role="viewer", name=None, kind="person", **token):
        self.gateway, self.name = gateway, name or f"u{uuid.uuid4().hex[:10]}"
        self.user = gateway.ok("POST", "/api/v1/users", {"name": self.name, "role": role, "kind": kind})
        self.token = self.new_token(**token)["token"]

    def new_token(self, label="own", ttl=3600, **body):
        if self.user["kind"] == "service":
            wanted = {"label": label, "ttl": ttl, "user": self.name} | body
            return self.gateway.ok("POST", "/api/v1/tokens", wanted)
        words = ["token", "add", "--user", self.name, "--label", label, "--ttl", f"{ttl}s", "--json"]
        for scope in body.get("scopes", []):
            words += ["--scope", scope]
        for block in body.get("allow_from", []):
            words += ["--allow-from", block]
        return json.loads(operator(self.gateway, *words).stdout)

    @property
    def home(self):
        return self.gateway.home

    @property
    def address(self):
        return self.gateway.address

    def ssh_arguments(self, key, user=None):
        return self.gateway.ssh_arguments(key, user)

    def call(self, method, path, body=None, **options):
        return self.gateway.call(method, path, body, self.token, **options)

    def ok(self, method, path, body=None, **options):
        return self.gateway.ok(method, path, body, self.token, **options)

    def cli(self, *words, check=True):
        environment = {"TIDEGATE_TOKEN_FILE": "", "TIDEGATE_TOKEN": self.token}
        return self.gateway.cli(*words, check=check, environment=environment)

    def grant(self, machine, **body):
        return self.gateway.ok("POST", "/api/v1/grants", {"user": self.name, "machine": machine} | body)["id"]

    def jump(self, *machines):
        return Jump(self, list(machines))

    def register(self, *machines):
        """The answer to a wish for a key to these machines."""
        key = KeyPair(self.home, "jump")
        return self.call("POST", "/api/v1/tunnel-keys", {"public_key": key.line, "machines": list(machines)})
