"""A gateway with one machine and a credential for each kind of caller, and what every error has to look like."""

import json

from routes import ADMIN, ENROLMENT, MACHINE
from tunnels import Tunnel


class Site:
    """A gateway with one machine, and a credential for each kind of caller."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.tunnel = Tunnel(gateway)
        self.revoked = gateway.ok("POST", "/api/v1/tokens", {"label": "revoked"})
        gateway.ok("DELETE", f"/api/v1/tokens/{self.revoked['id']}")
        self.enrolment = gateway.ok("POST", f"{self.tunnel.path}/enrolments", {})["token"]

    def credential(self, route):
        if MACHINE in route.allowed and ADMIN not in route.allowed:
            return self.tunnel.agent_key
        return self.enrolment if ENROLMENT in route.allowed else self.gateway.token

    def path(self, route):
        return route.filled(self.tunnel.agent_id)

    def facts(self):
        """Everything a refused request must not have changed."""
        facts = [self.gateway.ok("GET", path) for path in
                 ("/api/v1/machines", "/api/v1/tunnel-keys", f"{self.tunnel.path}/keys")]  # fmt: skip
        tokens = [(row["id"], row.get("revoked_at"), row["label"]) for row in self.gateway.ok("GET", "/api/v1/tokens")]
        return json.dumps([[without_clocks(row) for row in rows] for rows in facts] + [tokens], sort_keys=True)


def without_clocks(row):
    return {name: value for name, value in row.items() if name not in ("last_seen_at", "last_used_at", "updated_at")}


def problem(answer, status, *codes):
    """The one error shape, with the status it says it has."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json", answer
    assert {"type", "title", "status", "detail", "error_code", "status_code", "request_id"} <= set(answer.body), answer
    assert answer.body["status"] == answer.body["status_code"] == status
    assert answer.body["request_id"] and not codes or answer.code in codes, answer
    for word in ("GRDB", "SQLite", "Swift", "NIO", "DecodingError", "Hummingbird", "debugDescription"):
        assert word not in answer.raw.decode(), answer
    return answer
