"""Who may reach what: roles, grants, tenants and tokens, against a real sshd and with live connections."""

import concurrent.futures
import json
import time
import uuid

import pytest
from commands import run
from networks import Canary
from people import Person, operator
from tunnels import Live, Tunnel, new_name


class Reached(Live):
    """A stream that a viewer's grant allowed."""

    def visitor(self, role="viewer", grant=None):
        self.person = Person(self.gateway, role)
        self.grant = self.person.grant(self.tunnel.name, **grant) if grant is not None else None
        return self.person.jump(self.tunnel.name)

    def cut(self, change):
        """Seconds from the start of `change()` until the stream has ended."""
        return super().cut(change, tunnel=False)

    def refused(self):
        return self.refused_jump()


@pytest.fixture
def reach():
    opened = []

    def make(gateway, **options):
        opened.append(Reached(gateway, **options))
        return opened[-1]

    yield make
    for reached in opened:
        reached.close()


def within_a_second(figures, what, seconds):
    figures.note(f"access to cut: {what}", f"{seconds * 1000:.0f} ms")
    assert seconds < 1, f"{what}: {seconds:.3f} s"


def test_a_withdrawn_grant(gateway_in_mode, mode, reach, figures):
    gateway = gateway_in_mode
    live = reach(gateway, grant={})

    def withdraw():
        assert gateway.call("DELETE", f"/api/v1/grants/{live.grant}").status == 204

    within_a_second(figures, f"grant withdrawn, {mode}", live.cut(withdraw))
    assert live.refused()
    withdraw()
    again = live.person.grant(live.tunnel.name, modes=["ssh"])
    with_line = live.jump.connect(live.tunnel.port).wait_for(b"canary")
    with_line.close()
    assert gateway.call("DELETE", f"/api/v1/grants/{again}").status == 204


def test_a_disabled_user(gateway, reach, figures):
    live = reach(gateway, grant={})

    def disable():
        gateway.cli("user", "disable", live.person.name)

    disabled = live.cut(disable)
    within_a_second(figures, "user disabled (by the CLI)", disabled)
    assert live.refused()
    assert live.person.call("GET", "/api/v1/whoami").status == 401
    gateway.cli("user", "enable", live.person.name)
    assert live.person.call("GET", "/api/v1/whoami").status == 200
    live.jump.connect(live.tunnel.port).wait_for(b"canary").close()


def test_a_dropped_role(gateway, reach, figures):
    live = reach(gateway, role="admin")
    path = f"/api/v1/users/{live.person.name}"
    cut = live.cut(lambda: gateway.ok("PATCH", path, {"role": "viewer"}))
    within_a_second(figures, "role dropped", cut)
    assert live.refused()
    assert live.person.call("GET", "/api/v1/users").status == 403


def test_a_machine_that_leaves_what_was_granted(gateway, figures, reach):
    tag = f"t{uuid.uuid4().hex[:8]}"
    live = reach(gateway, role="viewer", grant={})
    gateway.ok("PATCH", live.tunnel.path, {"tags": [tag]})
    gateway.ok("POST", "/api/v1/grants", {"user": live.person.name, "tag": tag})
    # The tag's grant alone carries the connection now: nothing is cut.
    assert gateway.call("DELETE", f"/api/v1/grants/{live.grant}").status == 204
    live.stream.flowing()
    cut = live.cut(lambda: gateway.ok("PATCH", live.tunnel.path, {"tags": []}))
    within_a_second(figures, "tag taken off", cut)
    assert live.refused()


def test_a_grant_that_expires(gateway, reach):
    live = reach(gateway, grant={"ttl": 60})
    begun = time.monotonic()
    ended = live.stream.wait_end(75)
    assert 50 < ended - begun < 63
    assert live.refused()


def test_new_addresses_for_a_user(gateway, reach, figures):
    live = reach(gateway, grant={})
    path = f"/api/v1/users/{live.person.name}"
    cut = live.cut(lambda: gateway.ok("PATCH", path, {"allow_from": ["127.0.0.9/32", "2001:db8::/32"]}))
    within_a_second(figures, "addresses narrowed", cut)
    assert live.refused()
    assert live.person.call("GET", "/api/v1/whoami").code == "ADDRESS_NOT_ALLOWED"
    command = live.jump.command(live.tunnel.port)
    from_there = [command[0], "-b", "127.0.0.9", *command[1:]]
    done = run(["timeout", "5", *from_there], deadline=20)
    assert "Permission denied" not in done.stderr and done.stdout.startswith("canary"), done.stderr


def test_no_grant_no_line(gateway, reach):
    """A key registered while a grant held gets no line without it, and a key for more is refused."""
    target = Canary(streaming=True)
    first, second = Tunnel(gateway, target.port).open(), Tunnel(gateway, target.port).open()
    try:
        person = Person(gateway)
        answer = person.register(first.name)
        unknown = person.register(new_name())
        assert (answer.status, answer.code) == (404, "MACHINE_NOT_FOUND")
        assert without_id(answer) == without_id(unknown)
        person.grant(first.name, modes=["view"])
        assert (person.register(first.name).status, person.register(first.name).code) == (403, "NOT_GRANTED")
        first_grant, _ = person.grant(first.name), person.grant(second.name)
        jump = person.jump(first.name, second.name)
        gateway.call("DELETE", f"/api/v1/grants/{first_grant}")
        jump.connect(second.port).wait_for(b"canary").close()
        done = run(jump.command(first.port), deadline=20)
        assert "administratively prohibited" in done.stderr and done.stdout == ""
    finally:
        for tunnel in (first, second):
            tunnel.close()
        target.close()


def without_id(answer):
    """All of an answer but what no two requests share."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
    body = {name: value for name, value in (answer.body or {}).items() if name != "request_id"}
    return answer.status, headers, json.dumps(body)


def test_another_tenants_things_are_unknown_ones(gateway):
    """Byte for byte, but for the request's own id (security cases 12 and 13)."""
    home = Tunnel(gateway)
    key_id = home.key_ids()[0]
    person = Person(gateway)
    grant = person.grant(home.name)
    jump = person.jump(home.name)
    name = f"t{uuid.uuid4().hex[:8]}"
    added = json.loads(operator(gateway, "tenant", "add", name, "--administrator", "ada", "--json").stdout)
    admin = added["token"]["token"]
    service = gateway.ok("POST", "/api/v1/users", {"name": "bot", "role": "admin", "kind": "service"}, token=admin)
    bot = gateway.ok("POST", "/api/v1/tokens", {"label": "bot", "user": service["name"]}, token=admin)["token"]
    nothing = "00000000-0000-4000-8000-000000000000"
    for token in (admin, bot):
        for method, path, missing, body in [
            ("GET", home.path, "/api/v1/machines/nope", None),
            ("PATCH", home.path, "/api/v1/machines/nope", {"site": "x"}),
            ("DELETE", home.path, "/api/v1/machines/nope", None),
            ("GET", f"{home.path}/keys", "/api/v1/machines/nope/keys", None),
            ("POST", f"{home.path}/keys", "/api/v1/machines/nope/keys", None),
            ("DELETE", f"{home.path}/keys/{key_id}", f"/api/v1/machines/nope/keys/{key_id}", None),
            ("GET", f"{home.path}/enrolments", "/api/v1/machines/nope/enrolments", None),
            ("GET", jump.path, f"/api/v1/tunnel-keys/{nothing}", None),
            ("DELETE", jump.path, f"/api/v1/tunnel-keys/{nothing}", None),
            ("DELETE", f"/api/v1/grants/{grant}", f"/api/v1/grants/{nothing}", None),
            ("GET", f"/api/v1/users/{person.name}", "/api/v1/users/nobody", None),
            ("PATCH", f"/api/v1/users/{person.name}", "/api/v1/users/nobody", {"disabled": True}),
            ("GET", f"/api/v1/access/check?user=ada&machine={home.name}",
             "/api/v1/access/check?user=ada&machine=nope", None),
        ]:  # fmt: skip
            foreign = gateway.call(method, path, body, token)
            unknown = gateway.call(method, missing, body, token)
            assert foreign.status == 404, f"{method} {path}: {foreign}"
            assert without_id(foreign) == without_id(unknown), f"{method} {path}"
        for path in ["machines", "tunnel-keys", "grants", "users", "audit/events"]:
            body = gateway.ok("GET", f"/api/v1/{path}", token=token)
            text = json.dumps(body)
            assert home.name not in text and person.name not in text and home.registered["machine_id"] not in text
    assert gateway.call("GET", home.path).status == 200
    assert gateway.call("POST", "/api/v1/tenants", {"name": "x", "administrator": "x"}, admin).status == 403


def test_tokens_hold_what_they_say(gateway):
    """A scope it lacks is 403; an address it may not come from is 403; nothing it makes is wider."""
    narrow = gateway.ok("POST", "/api/v1/tokens", {"label": "n", "scopes": ["machines:read", "tokens"]})
    token = narrow["token"]
    assert narrow["scopes"] == ["machines:read", "tokens"]
    assert gateway.call("GET", "/api/v1/machines", token=token).status == 200
    assert gateway.call("POST", "/api/v1/machines", {"name": new_name()}, token).code == "FORBIDDEN"
    wide = gateway.call("POST", "/api/v1/tokens", {"label": "w", "scopes": ["machines:write"]}, token)
    assert (wide.status, wide.code) == (400, "INVALID_FIELD")
    child = gateway.ok("POST", "/api/v1/tokens", {"label": "c"}, token=token)
    assert child["scopes"] == ["machines:read", "tokens"]
    elsewhere = gateway.ok("POST", "/api/v1/tokens", {"label": "e", "allow_from": ["198.51.100.0/24"]})["token"]
    for headers in ({}, {"X-Forwarded-For": "198.51.100.7"}, {"X-Real-IP": "198.51.100.7"}):
        answer = gateway.call("GET", "/api/v1/whoami", token=elsewhere, headers=headers)
        assert (answer.status, answer.code) == (403, "ADDRESS_NOT_ALLOWED")
    machine = Tunnel(gateway)
    key = gateway.ok("POST", f"{machine.path}/keys", {"allow_from": ["198.51.100.0/24"]})["key"]
    answer = gateway.call("POST", "/api/v1/agent/heartbeat", {"generation": 1}, key)
    assert (answer.status, answer.code) == (403, "ADDRESS_NOT_ALLOWED")
    path = f"{machine.path}/enrolments"
    enrolment = gateway.ok("POST", path, {"allow_from": ["198.51.100.0/24"]})["token"]
    answer = gateway.call("POST", "/api/v1/agent/enrol", {"public_key": machine.first_key.line}, enrolment)
    assert (answer.status, answer.code) == (403, "ADDRESS_NOT_ALLOWED")
    assert [row["consumed_at"] for row in gateway.ok("GET", path) if not row["consumed_at"]] == [None]


def test_programs_make_no_credentials_for_people(gateway):
    bot = Person(gateway, "admin", kind="service")
    assert bot.token.startswith("tgs_")
    assert bot.call("POST", "/api/v1/tokens", {"label": "x", "user": "admin"}).code == "FORBIDDEN"
    assert bot.ok("POST", "/api/v1/tokens", {"label": "next"})["token"].startswith("tgs_")
    host = Person(gateway, "tunnel-host", kind="service")
    for method, path in [("GET", "machines"), ("POST", "tokens"), ("GET", "tokens"), ("GET", "users")]:
        assert host.call(method, f"/api/v1/{path}").status == 403
    machine = Tunnel(gateway)
    for path, body in [("tokens", {"label": "x"}), ("users", {"name": "x", "role": "admin"})]:
        assert gateway.call("POST", f"/api/v1/{path}", body, machine.agent_key).status == 403


def test_the_commands_explain_themselves(gateway):
    machine, person = new_name(), Person(gateway)
    gateway.cli("machine", "add", machine)
    no = gateway.cli("access", "check", person.name, machine, check=False)
    assert no.returncode == 1 and no.stdout.startswith("no: ")
    words = ["grant", "add", "--user", person.name, "--machine", machine, "--login", "deploy", "--mode", "ssh"]
    grant = gateway.cli_json(*words, "--ttl", "8h")
    assert (grant["machine_name"], grant["logins"], grant["modes"]) == (machine, ["deploy"], ["ssh"])
    yes = gateway.cli("access", "check", person.name, machine)
    assert yes.stdout.startswith("yes: ") and "not enforced" in yes.stdout and grant["id"] in yes.stdout
    check = person.cli("access", "check", person.name, machine, "--login", "root", "--json", check=False)
    answer = json.loads(check.stdout)
    assert (check.returncode, answer["reason"], answer["login_enforced"]) == (1, "other-login", False)
    other = Person(gateway)
    refused = other.cli("access", "check", person.name, machine, check=False)
    assert refused.returncode == 1 and "may not" in refused.stderr
    assert person.name in gateway.cli("user", "list").stdout
    assert machine in gateway.cli("grant", "list", "--user", person.name).stdout
    gateway.cli("grant", "withdraw", grant["id"])
    assert grant["id"] not in gateway.cli("grant", "list").stdout
    assert grant["id"] in gateway.cli("grant", "list", "--ended").stdout
    last = gateway.cli("user", "disable", "admin", check=False)
    if last.returncode == 0:  # Another test's administrator was left: no harm done.
        gateway.cli("user", "enable", "admin")
    assert operator(gateway, "tenant", "list").stdout.splitlines()[1].startswith("default")
    usage = gateway.cli("grant", "add", "--user", person.name, check=False)
    assert usage.returncode == 64 and "--machine" in usage.stderr


def test_tokens_renew_as_the_vectors_say(fresh_gateway):
    """P1 to P5 and P7 of token renewal and revocation; the ninety days are the lifetime it was made with."""
    gateway = fresh_gateway
    day = 86_400
    near = gateway.ok("POST", "/api/v1/tokens", {"label": "near", "ttl": 90 * day})
    far = gateway.ok("POST", "/api/v1/tokens", {"label": "far", "ttl": 30 * day})
    endless = gateway.ok("POST", "/api/v1/tokens", {"label": "endless", "ttl": 30 * day})
    over = gateway.ok("POST", "/api/v1/tokens", {"label": "over", "ttl": 60})
    old = gateway.ok("POST", "/api/v1/tokens", {"label": "old", "ttl": 365 * day})
    machine = Tunnel(gateway)
    gateway.stop()
    now = time.time()
    edit = gateway.edit_database
    at = "UPDATE access_token SET expires_at = ?, created_at = ? WHERE id = ?"
    micro = 1_000_000
    edit(at, (int((now + 3 * day) * micro), int((now - 87 * day) * micro), near["id"]))
    edit(at, (int((now - 1) * micro), int((now - day) * micro), over["id"]))
    edit(at, (int((now + 3 * day) * micro), int((now - 362 * day) * micro), old["id"]))
    edit("UPDATE access_token SET expires_at = NULL, lifetime = NULL WHERE id = ?", (endless["id"],))
    gateway.start()

    def renew(token):
        return gateway.call("POST", "/api/v1/tokens/current/renew", token=token)

    # P5, P1: of eight at once one renews, and all see about ninety days.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: renew(near["token"]), range(8)))
    assert [answer.status for answer in answers] == [200] * 8
    assert sum(answer.body["renewed"] for answer in answers) == 1
    assert len({answer.body["expires_at"] for answer in answers}) == 1
    row = next(row for row in gateway.ok("GET", "/api/v1/tokens") if row["id"] == near["id"])
    assert row["expires_at"] == answers[0].body["expires_at"]
    # P2: early, and without an end.
    assert renew(far["token"]).body == {"expires_at": far["expires_at"], "renewed": False}
    assert renew(endless["token"]).body == {"expires_at": None, "renewed": False}
    # Never past a year after it was made.
    assert renew(old["token"]).body["renewed"] is False
    # P3: expired, revoked.
    assert renew(over["token"]).status == 401
    assert gateway.call("DELETE", f"/api/v1/tokens/{far['id']}").status == 204
    assert renew(far["token"]).status == 401
    # P4: what is no token. None and malformed are 401 before anything is looked at (H4 is stricter).
    assert renew(machine.agent_key).status == 400
    assert renew(None).status == 401
    assert renew("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.").status == 401
    # P7: ours again 204; what never was one is 404 (stricter than 204), and a malformed id names nothing.
    assert gateway.call("DELETE", f"/api/v1/tokens/{far['id']}").status == 204
    assert gateway.call("DELETE", "/api/v1/tokens/00000000-0000-4000-8000-000000000000").status == 404
    assert gateway.call("DELETE", "/api/v1/tokens/nope").status == 404
    person = Person(gateway)
    assert gateway.call("DELETE", f"/api/v1/tokens/{near['id']}", token=person.token).status == 404
    assert renew(near["token"]).status == 200
