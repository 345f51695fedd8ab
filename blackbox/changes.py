"""Every kind of change that the API knows, each with a look at whether it happened."""

import base64
import os

from tunnels import Tunnel, new_name


def some_key():
    """A public key that nobody has the private half of."""
    kind = b"ssh-ed25519"
    blob = len(kind).to_bytes(4, "big") + kind + (32).to_bytes(4, "big") + os.urandom(32)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


class Change:
    """`ask` sends it once and keeps the answer; `happened` looks, with reading requests only."""

    def __init__(self, name, send, happened):
        self.name, self.send, self.happened = name, send, happened
        self.answer = None

    def ask(self):
        self.answer = self.send()
        return self.answer

    @property
    def succeeded(self):
        return self.answer.status in (200, 201, 204)

    def __repr__(self):
        return f"<{self.name}: {self.answer}>"


class Supplies:
    """What one round of all changes acts on: made beforehand, while everything works."""

    def __init__(self, gateway, shared_key=None):
        self.gateway, self.shared_key = gateway, shared_key
        call = gateway.ok
        self.tunnel = Tunnel(gateway)
        self.doomed = call("POST", "/api/v1/machines", {"name": new_name("doomed")})["machine"]["agent_id"]
        self.fresh = call("POST", "/api/v1/machines", {"name": new_name("fresh")})
        self.offered = call("POST", "/api/v1/machines", {"name": new_name("offered")})
        self.second_key = call("POST", f"{self.tunnel.path}/keys", {})["id"]
        self.jump_key = self.jump(some_key()).body["id"]
        self.token_id = call("POST", "/api/v1/tokens", {"label": new_name("token")})["id"]

    def jump(self, line):
        return self.gateway.call("POST", "/api/v1/tunnel-keys", {"public_key": line, "machines": [self.tunnel.name]})

    def rows(self, path):
        return self.gateway.ok("GET", path)

    def revoked(self, path, identifier):
        (row,) = [row for row in self.rows(path) if row["id"] == identifier]
        return row["revoked_at"] is not None

    def exists(self, agent):
        return self.gateway.call("GET", f"/api/v1/machines/{agent}").status == 200

    def changes(self):
        gateway, tunnel, call = self.gateway, self.tunnel, self.gateway.call
        name, site, line, label = new_name("added"), new_name("site"), some_key(), new_name("label")
        enrolments, keys = f"{tunnel.path}/enrolments", f"{tunnel.path}/keys"
        offered = f"/api/v1/machines/{self.offered['machine']['agent_id']}/enrolments"
        (offer,) = [row["id"] for row in self.rows(offered)]
        fresh = f"/api/v1/machines/{self.fresh['machine']['agent_id']}"
        before = {path: len(self.rows(path)) for path in (enrolments, keys)}
        generation = self.rows(tunnel.path)["lease"]["generation"]
        body = {"public_key": some_key(), "host_keys": [], "os": "test", "agent_version": "0"}
        made = [
            Change("a machine added", lambda: call("POST", "/api/v1/machines", {"name": name}),
                   lambda: self.exists(name)),
            Change("a machine changed", lambda: call("PATCH", tunnel.path, {"site": site}),
                   lambda: self.rows(tunnel.path)["site"] == site),
            Change("a machine removed", lambda: call("DELETE", f"/api/v1/machines/{self.doomed}"),
                   lambda: not self.exists(self.doomed)),
            Change("an enrolment added", lambda: call("POST", enrolments, {}),
                   lambda: len(self.rows(enrolments)) > before[enrolments]),
            Change("an enrolment revoked", lambda: call("DELETE", f"{offered}/{offer}"),
                   lambda: self.revoked(offered, offer)),
            Change("a machine enrolled",
                   lambda: call("POST", "/api/v1/agent/enrol", {"public_key": some_key()},
                                token=self.fresh["enrolment"]["token"]),
                   lambda: self.rows(fresh)["enrolled_at"] is not None),
            Change("a machine registered", lambda: call("POST", "/api/v1/agent/register", body, token=tunnel.agent_key),
                   lambda: self.rows(tunnel.path)["lease"]["generation"] > generation),
            Change("an agent key added", lambda: call("POST", keys, {}), lambda: len(self.rows(keys)) > before[keys]),
            Change("an agent key revoked", lambda: call("DELETE", f"{keys}/{self.second_key}"),
                   lambda: self.revoked(keys, self.second_key)),
            Change("a tunnel key added", lambda: self.jump(line),
                   lambda: line in [row["public_key"] for row in self.rows("/api/v1/tunnel-keys?limit=1000")]),
            Change("a tunnel key revoked", lambda: call("DELETE", f"/api/v1/tunnel-keys/{self.jump_key}"),
                   lambda: self.revoked("/api/v1/tunnel-keys?limit=1000", self.jump_key)),
            Change("a token added", lambda: call("POST", "/api/v1/tokens", {"label": label}),
                   lambda: label in [row["label"] for row in self.rows("/api/v1/tokens")]),
            Change("a token revoked", lambda: call("DELETE", f"/api/v1/tokens/{self.token_id}"),
                   lambda: self.revoked("/api/v1/tokens", self.token_id)),
        ]  # fmt: skip
        if self.shared_key:
            # Leases go round the range in order: one that is half the range away is taken by nobody soon.
            first, last = gateway.first_lease, gateway.last_lease
            port = first + (self.tunnel.port - first + (last - first) // 2) % (last - first + 1)
            old = {"agent_id": new_name("old"), "port": port, "public_key": some_key(),
                   "last_seen_at": "2026-01-01T00:00:00Z", "lease_expires_at": "2099-01-01T00:00:00Z"}  # fmt: skip
            made.append(
                Change("agents imported",
                       lambda: call("POST", "/api/v1/imports/ssh-tunnel-gateway", {"agents": [old]}),
                       lambda: self.exists(old["agent_id"])))  # fmt: skip
            agent = new_name("dialect")
            asked = {"action": "register", "agent_id": agent}
            made.append(
                Change("an agent of the dialect registered",
                       lambda: call("POST", "/", asked, token=None, headers={"X-API-Key": self.shared_key}),
                       lambda: self.exists(agent)))  # fmt: skip
        return made
