"""Node tokens, which a Fleet vouches for: every row of what they have to do, and what nobody may make of them."""

import concurrent.futures
import datetime
import itertools
import secrets
import threading
import time
import uuid

import programs
import pytest
from commands import run
from fleet import REASONS, VERIFY, Fleet, new_node_token
from gateway import Gateway
from networks import listening
from sshkeys import KeyPair
from tunnels import Tunnel, new_name
from waiting import wait_until

WHOAMI, REGISTER, HEARTBEAT = "/api/v1/whoami", "/api/v1/agent/register", "/api/v1/agent/heartbeat"
_sources = itertools.count(1)


def new_source():
    """An address that nobody came from before, as the trusted proxy before the gateway names it."""
    number = next(_sources)
    return f"198.18.{number // 250}.{number % 250 + 1}"


@pytest.fixture(scope="module")
def fleet():
    with Fleet() as fleet:
        yield fleet


@pytest.fixture(scope="module")
def gateway(fleet):
    with Gateway(extra=["--fleet-url", fleet.url + "/", "--trusted-proxies", "127.0.0.1"]) as gateway:
        yield gateway


def ask(gateway, token, path=WHOAMI, method="GET", body=None, source=None, headers=None):
    headers = {"X-Forwarded-For": source or new_source()} | (headers or {})
    return gateway.api.call(method, path, body, token, headers)


def new_user(gateway, role="operator", token="", **more):
    return gateway.ok("POST", "/api/v1/users", {"name": new_name("u"), "role": role} | more, token=token)


def machine_of(gateway, **more):
    """A machine that holds no agent key."""
    return gateway.ok("POST", "/api/v1/machines", {"name": new_name()} | more)["machine"]


def report(gateway, key=None):
    key = key or KeyPair(gateway.home, "node")
    return {"public_key": key.line, "host_keys": [], "os": "test", "agent_version": "0"}


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer
    return answer


# --- who is let in ---


def test_m1_no_credential(gateway):
    refused(ask(gateway, None), 401, "UNAUTHENTICATED")
    refused(ask(gateway, None, REGISTER, "POST", report(gateway)), 401, "UNAUTHENTICATED")


def test_m2_m3_other_schemes_and_prefixes(gateway, fleet):
    token = fleet.knows(new_user(gateway)["id"])
    for value in (f"Basic {token}", token, "Token x", "bearer mul_" + "a" * 40, f"Bearer x {token}"):
        refused(ask(gateway, None, headers={"Authorization": value}), 401, "UNAUTHENTICATED")
    assert fleet.asked[token] == 0
    # Schemes are case-insensitive (RFC 9110, section 11.1).
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert ask(gateway, None, headers={"Authorization": f"{scheme} {token}"}).status == 200


@pytest.mark.parametrize("token", [
    # alg none, and a signed one: neither is a credential here, whoever signed it.
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiIsImV4cCI6MX0.c2ln",
    "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
])  # fmt: skip
def test_m4_a_jwt_is_no_credential(gateway, token):
    refused(ask(gateway, token), 401, "UNAUTHENTICATED")
    refused(ask(gateway, token, REGISTER, "POST", report(gateway)), 401, "UNAUTHENTICATED")


def test_m5_forged_headers_are_nobodys(gateway, fleet):
    owner, other = new_user(gateway, "viewer"), new_user(gateway, "admin")
    token = fleet.knows(owner["id"], "i-1")
    forged = {
        "X-User-ID": other["id"], "X-Actor-Source": "", "X-Agent-ID": "box", "X-Workspace-ID": str(uuid.uuid4()),
        "X-Task-ID": "1", "X-Tenant-ID": str(uuid.uuid4()), "X-Real-IP": "127.0.0.1", "X-Role": "admin",
    }  # fmt: skip
    plain, told = ask(gateway, token), ask(gateway, token, headers=forged)
    assert plain.status == told.status == 200 and plain.body == told.body and told.body["id"] == owner["id"]
    refused(ask(gateway, token, "/api/v1/users", headers=forged), 403, "FORBIDDEN")


def test_m7_unknown_tokens_of_other_kinds(gateway):
    for prefix in ("tgp_", "tgs_", "cak_"):
        refused(ask(gateway, prefix + secrets.token_urlsafe(32)), 401, "UNAUTHENTICATED")
        body = report(gateway)
        refused(ask(gateway, prefix + secrets.token_urlsafe(32), REGISTER, "POST", body), 401, "UNAUTHENTICATED")
    for prefix in ("mul_", "mdt_", "mat_"):
        refused(ask(gateway, prefix + "a" * 40, REGISTER, "POST", report(gateway)), 401, "UNAUTHENTICATED")


@pytest.mark.parametrize("environment", [{}, {"MULTICA_CLOUD_FLEET_URL": "  ", "MULTICA_FLEET_URL": ""}])
def test_m8_m16_without_a_fleet_a_node_token_is_unknown(environment):
    with Gateway(environment=environment) as plain:
        for path, method, body in ((WHOAMI, "GET", None), (REGISTER, "POST", report(plain))):
            refused(plain.call(method, path, body, new_node_token()), 401, "UNAUTHENTICATED")


@pytest.mark.parametrize("variable", ["TIDEGATE_FLEET_URL", "MULTICA_CLOUD_FLEET_URL", "MULTICA_FLEET_URL"])
def test_m16_the_url_by_each_of_its_names(fleet, variable):
    with Gateway(environment={variable: f"  {fleet.url}/// "}) as gateway:
        assert gateway.call("GET", WHOAMI, token=fleet.knows(new_user(gateway)["id"])).status == 200


@pytest.mark.parametrize(("role", "scopes"), [
    ("admin", ["machines:read", "connections:read"]), ("operator", ["machines:read", "connections:read"]),
    ("viewer", ["machines:read"]),
])  # fmt: skip
def test_m9_a_valid_token_acts_as_its_owner_with_a_nodes_scopes(gateway, fleet, role, scopes):
    owner = new_user(gateway, role)
    token = fleet.knows(owner["id"].upper(), "i-0f1e2d")
    answer = ask(gateway, token)
    assert answer.status == 200 and answer.body == {
        "kind": "user", "id": owner["id"], "name": owner["name"], "role": role, "scopes": scopes, "node": "i-0f1e2d",
    }, answer  # fmt: skip
    assert ask(gateway, token, "/api/v1/machines").status == 200
    path, headers, raw = fleet.requests[-1]
    assert path == VERIFY and raw == b'{"token":"' + token.encode() + b'"}'
    assert not {name.lower() for name in headers} & {"authorization", "cookie", "x-forwarded-for", "x-user-id"}


@pytest.mark.parametrize("reason", [*REASONS, "something_new", "<b>\n\x1b[2J", None])
def test_m10_every_refusal_of_the_fleet_is_the_same_refusal(gateway, fleet, reason):
    token = fleet.says({"valid": False, "reason": reason, "owner_id": gateway.ok("GET", WHOAMI)["id"]})
    refused(ask(gateway, token), 401, "UNAUTHENTICATED")
    assert "\x1b" not in gateway.log


def redirect(status):
    def action(handler):
        handler.answer(status, b"", [("Location", f"{handler.server.elsewhere}{VERIFY}")])

    return action


def broken_off(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    handler.wfile.flush()
    handler.connection.close()


UNUSABLE = {
    "500": lambda handler: handler.answer(500, b'{"valid": true}'),
    "400": lambda handler: handler.answer(400, b'{"valid": false, "reason": "token_not_found"}'),
    "401": lambda handler: handler.answer(401, b'{"valid": false}'),
    "204": lambda handler: handler.answer(204, b""),
    "bad JSON": lambda handler: handler.answer(200, b'{"valid": true'),
    "no object": lambda handler: handler.answer(200, b"[true]"),
    "no verdict": lambda handler: handler.answer(200, b'{"owner_id": "x"}'),
    "verdict as text": lambda handler: handler.answer(200, b'{"valid": "true"}'),
    "deep": lambda handler: handler.answer(200, b"[" * 60_000),
    "10 MiB": lambda handler: handler.answer(200, b" " * (10 << 20)),
    "broken off": broken_off,
    "307": redirect(307), "308": redirect(308), "302": redirect(302),
}  # fmt: skip


@pytest.mark.parametrize("fault", UNUSABLE)
def test_m11_what_is_no_answer_is_never_a_refusal(gateway, fleet, fault):
    with Fleet() as elsewhere:
        fleet.server.elsewhere = elsewhere.url
        answer = refused(ask(gateway, fleet.does(UNUSABLE[fault])), 503, "PROVIDER_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        # A redirect would carry the token to wherever it names.
        assert not elsewhere.asked


@pytest.mark.parametrize("body", [
    {"valid": True}, {"valid": True, "owner_id": ""}, {"valid": True, "owner_id": None},
    {"valid": True, "owner_id": str(uuid.uuid4()), "instance_id": "a b"},
    {"valid": True, "owner_id": str(uuid.uuid4()), "instance_id": "-x"},
    {"valid": True, "owner_id": 7},
])  # fmt: skip
def test_m11_valid_without_whom_is_no_answer(gateway, fleet, body):
    refused(ask(gateway, fleet.says(body)), 503, "PROVIDER_UNAVAILABLE")


def test_m11_a_fleet_that_hangs_is_given_up(gateway, fleet):
    released = threading.Event()
    token = fleet.does(lambda handler: released.wait(30))
    try:
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asker = pool.submit(ask, gateway, token)
            wait_until(lambda: fleet.asked[token], 5, "the Fleet asked")
            # Nobody else waits for it: not whom the store knows, and no other node.
            assert gateway.call("GET", WHOAMI).status == 200
            assert ask(gateway, fleet.knows(new_user(gateway)["id"])).status == 200
            assert not asker.done()
            refused(asker.result(10), 503, "PROVIDER_UNAVAILABLE")
        assert 4 < time.monotonic() - begun < 8
    finally:
        released.set()


def test_m11_nobody_listens(fleet):
    with Fleet() as own, Gateway(extra=["--fleet-url", own.url]) as gateway:
        owner = new_user(gateway)
        known, other = own.knows(owner["id"]), own.knows(owner["id"])
        assert gateway.call("GET", WHOAMI, token=known).status == 200
        own.stop()
        refused(gateway.call("GET", WHOAMI, token=other), 503, "PROVIDER_UNAVAILABLE")
        # What it vouched for within the minute goes on; after that nobody knows.
        assert gateway.call("GET", WHOAMI, token=known).status == 200
        assert gateway.call("POST", "/api/v1/node-tokens/forget").status == 204
        refused(gateway.call("GET", WHOAMI, token=known), 503, "PROVIDER_UNAVAILABLE")
        assert gateway.log.count("the Fleet can't say") == 1
        own.start()
        assert gateway.call("GET", WHOAMI, token=known).status == 200
        assert "the Fleet answers again" in gateway.log


# --- the owner ---


def test_m12_an_owner_that_isnt_here(gateway, fleet):
    token = fleet.knows(str(uuid.uuid4()))
    refused(ask(gateway, token), 401, "UNAUTHENTICATED")
    refused(ask(gateway, fleet.knows("not-a-uuid")), 401, "UNAUTHENTICATED")
    # Nothing was remembered of it: once there is such an owner, the next use is good.
    owner = new_user(gateway)
    fleet.knows(owner["id"], token=token)
    assert ask(gateway, token).body["id"] == owner["id"]
    assert fleet.asked[token] == 2


def test_a_disabled_owner_is_forbidden_at_the_next_use(gateway, fleet):
    owner = new_user(gateway)
    path, token = f"/api/v1/users/{owner['name']}", fleet.knows(owner["id"])
    assert ask(gateway, token).status == 200
    gateway.ok("PATCH", path, {"disabled": True})
    for _ in range(2):
        refused(ask(gateway, token), 403, "ACCOUNT_DISABLED")
    refused(ask(gateway, fleet.knows(owner["id"])), 403, "ACCOUNT_DISABLED")
    gateway.ok("PATCH", path, {"disabled": False})
    assert ask(gateway, token).status == 200
    # All of it on one word of the Fleet.
    assert fleet.asked[token] == 1


def test_a_changed_role_counts_at_the_next_use(gateway, fleet):
    owner = new_user(gateway, "operator")
    token = fleet.knows(owner["id"])
    assert ask(gateway, token, "/api/v1/connections").status == 200
    gateway.ok("PATCH", f"/api/v1/users/{owner['name']}", {"role": "viewer"})
    refused(ask(gateway, token, "/api/v1/connections"), 403, "FORBIDDEN")
    assert fleet.asked[token] == 1


def test_an_owners_addresses_bind_their_nodes(gateway, fleet):
    owner = new_user(gateway, allow_from=["203.0.113.0/24"])
    token = fleet.knows(owner["id"])
    refused(ask(gateway, token, source="198.51.100.1"), 403, "ADDRESS_NOT_ALLOWED")
    assert ask(gateway, token, source="203.0.113.9").status == 200


# --- how often the Fleet is asked ---


def test_m14_a_good_token_is_asked_about_once(gateway, fleet):
    token = fleet.knows(new_user(gateway)["id"])
    assert [ask(gateway, token).status for _ in range(5)] == [200] * 5
    assert fleet.asked[token] == 1


def test_m15_a_bad_token_is_asked_about_each_time(gateway, fleet):
    token = new_node_token()
    for _ in range(2):
        refused(ask(gateway, token), 401, "UNAUTHENTICATED")
    assert fleet.asked[token] == 2
    # Made a moment later, it is good at once.
    fleet.knows(new_user(gateway)["id"], token=token)
    assert ask(gateway, token).status == 200


@pytest.mark.parametrize("token", [
    "mcn_", "mcn_short", "mcn_" + "a" * 15, "mcn_" + "a" * 513, "mcn_" + "a" * 20 + '"', "mcn_" + "a" * 20 + "\\",
    "mcn_" + "a" * 20 + " b", "mcn_" + "ä" * 20, "mcn_" + "a" * 5_000,
])  # fmt: skip
def test_what_cant_be_a_token_costs_no_call(gateway, fleet, token):
    before = len(fleet.requests)
    answer = ask(gateway, None, headers={"Authorization": b"Bearer " + token.encode()})
    refused(answer, 401, "UNAUTHENTICATED")
    assert len(fleet.requests) == before


@pytest.mark.parametrize("is_good", [True, False])
def test_a_stampede_is_one_call(gateway, fleet, is_good):
    owner, token, count = new_user(gateway)["id"], new_node_token(), 50
    released = threading.Event()

    def slow(handler):
        released.wait(10)
        body = b'{"valid": true, "owner_id": "%s"}' % owner.encode() if is_good else b'{"valid": false}'
        handler.answer(200, body)

    fleet.does(slow, token)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        askers = [pool.submit(ask, gateway, token) for _ in range(count)]
        wait_until(lambda: fleet.asked[token], 10, "the Fleet asked")
        wait_until(lambda: gateway_connections(gateway) >= count, 10, "everybody waiting")
        released.set()
        statuses = [asker.result(20).status for asker in askers]
    assert statuses == [200 if is_good else 401] * count
    assert fleet.asked[token] == 1


def gateway_connections(gateway):
    """Connections to the API from this host, as the kernel lists them."""
    port, count = f":{gateway.port:04X}", 0
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table:
            columns = line.split()
            count += columns[1].endswith(port) and columns[3] == "01"
    return count


def test_rubbish_from_one_source_is_damped_and_nobody_else_waits(fleet):
    """A flood of made-up tokens: the Fleet hears few of them, and good tokens come through all the time."""
    with Gateway(extra=["--fleet-url", fleet.url, "--trusted-proxies", "127.0.0.1"]) as gateway:
        owner, flooder, flood = new_user(gateway)["id"], new_source(), 1_000
        known = fleet.knows(owner)
        assert ask(gateway, known, source=flooder).status == 200
        gateway.ok("POST", "/api/v1/node-tokens/forget")
        tokens = [new_node_token() for _ in range(flood)]
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            answers = pool.map(lambda token: ask(gateway, token, source=flooder), tokens)
            for _ in range(10):
                assert ask(gateway, fleet.knows(owner)).status == 200
            answers = list(answers)
        took = time.monotonic() - begun
        codes = {(answer.status, answer.code) for answer in answers}
        assert codes == {(401, "UNAUTHENTICATED"), (429, "TOO_MANY_REQUESTS")}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status == 429)
        asked = sum(fleet.asked[token] for token in tokens)
        assert asked <= 64 + 2 * took + 2, (asked, took)
        # The same source: a token that was good before needs no place, and a fresh one has one again in a moment.
        assert ask(gateway, known, source=flooder).status == 200
        fresh = fleet.knows(owner)
        wait_until(lambda: ask(gateway, fresh, source=flooder).status == 200, 5, "a fresh token from there", every=0.5)
        # Other credentials aren't damped with it.
        assert ask(gateway, gateway.token, source=flooder).status == 200
        metrics = gateway.api.call("GET", "/metrics").raw.decode()
        assert 'tidegate_node_tokens_total{outcome="paced"}' in metrics
        assert 'tidegate_outbound_calls_total{purpose="fleet",outcome="answered"}' in metrics


def test_a_made_up_forwarding_header_is_no_new_source(fleet):
    with Gateway(extra=["--fleet-url", fleet.url]) as gateway:
        statuses = [ask(gateway, new_node_token()).status for _ in range(80)]
        assert 429 in statuses, statuses


def test_many_good_tokens_behind_one_address_spend_nothing(gateway, fleet):
    owner, source = new_user(gateway)["id"], new_source()
    tokens = [fleet.knows(owner) for _ in range(200)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda token: ask(gateway, token, source=source).status, tokens))
    assert statuses == [200] * 200


def test_a_revoked_token_is_refused_at_once_after_forgetting(gateway, fleet):
    token = fleet.knows(new_user(gateway)["id"])
    assert ask(gateway, token).status == 200
    fleet.says({"valid": False, "reason": "token_revoked"}, token)
    assert ask(gateway, token).status == 200, "within the minute it may still be taken"
    gateway.cli("token", "forget-nodes")
    refused(ask(gateway, token), 401, "UNAUTHENTICATED")
    actions = [event["action"] for event in gateway.ok("GET", "/api/v1/audit/events?action=node-tokens.forgotten")]
    assert actions


def test_an_answer_from_before_the_forgetting_is_not_kept(gateway, fleet):
    """Asked before the revocation, answered after it: the gateway asks again."""
    owner, token = new_user(gateway)["id"], new_node_token()
    entered, released = threading.Event(), threading.Event()

    def slow(handler):
        fleet.says({"valid": False, "reason": "token_revoked"}, token)
        entered.set()
        released.wait(4)
        handler.answer(200, b'{"valid": true, "owner_id": "%s"}' % owner.encode())

    fleet.does(slow, token)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asker = pool.submit(ask, gateway, token)
        assert entered.wait(5)
        gateway.ok("POST", "/api/v1/node-tokens/forget")
        released.set()
        refused(asker.result(10), 401, "UNAUTHENTICATED")
    assert fleet.asked[token] == 2


# --- what it may do ---


def test_m17_a_node_makes_no_human_credential_and_changes_nothing(gateway, fleet):
    """Owned by an administrator, and on every route that makes or changes something."""
    owner = new_user(gateway, "admin")
    token, machine = fleet.knows(owner["id"], "i-9"), machine_of(gateway)
    path = f"/api/v1/machines/{machine['agent_id']}"
    wishes = [
        ("POST", "/api/v1/tokens", {"label": "x"}), ("GET", "/api/v1/tokens", None),
        ("POST", "/api/v1/users", {"name": "mallory", "role": "admin"}), ("GET", "/api/v1/users", None),
        ("PATCH", f"/api/v1/users/{owner['name']}", {"role": "admin"}), ("GET", "/api/v1/grants", None),
        ("POST", "/api/v1/machines", {"name": new_name()}), ("PATCH", path, {"site": "x"}), ("DELETE", path, None),
        ("POST", f"{path}/keys", {"label": "x"}), ("POST", f"{path}/enrolments", {}),
        ("POST", "/api/v1/tunnel-keys", {"public_key": KeyPair(gateway.home).line, "machines": [machine["name"]]}),
        ("GET", "/api/v1/audit/events", None), ("POST", "/api/v1/node-tokens/forget", None),
    ]  # fmt: skip
    for method, where, body in wishes:
        answer = ask(gateway, token, where, method, body)
        assert (answer.status, answer.code) == (403, "FORBIDDEN"), (method, where, answer)
    assert ask(gateway, token, "/api/v1/tokens/current/renew", "POST").status == 400
    assert ask(gateway, token, path).status == 200


def test_m17_a_machine_makes_no_human_credential(gateway):
    tunnel = Tunnel(gateway)
    for method, path, body in (("POST", "/api/v1/tokens", {"label": "x"}), ("GET", "/api/v1/users", None)):
        refused(gateway.call(method, path, body, tunnel.agent_key), 403, "FORBIDDEN")


def test_a_node_is_the_machine_of_its_instance(gateway, fleet):
    owner, machine = new_user(gateway), machine_of(gateway)
    token = fleet.knows(owner["id"], machine["agent_id"])
    answer = ask(gateway, token, REGISTER, "POST", report(gateway))
    assert answer.status == 200 and answer.body["agent_id"] == machine["agent_id"], answer
    beat = {"generation": answer.body["generation"]}
    beaten = ask(gateway, token, HEARTBEAT, "POST", beat)
    assert beaten.status == 200
    # Nothing tells the gateway when the Fleet revokes a token, so what it opened is short.
    for end in (answer.body["lease_expires_at"], beaten.body["lease_expires_at"]):
        left = datetime.datetime.fromisoformat(end) - datetime.datetime.now(datetime.UTC)
        assert 3_500 < left.total_seconds() <= 3_600
    # It may repeat who it is, and be nobody else.
    assert ask(gateway, token, HEARTBEAT, "POST", beat, headers={"X-Agent-ID": machine["agent_id"]}).status == 200
    other = machine_of(gateway)
    refused(ask(gateway, token, HEARTBEAT, "POST", beat, headers={"X-Agent-ID": other["agent_id"]}), 401,
            "UNAUTHENTICATED")  # fmt: skip


def test_m18_a_node_is_no_other_machine(gateway, fleet):
    owner, machine = new_user(gateway), machine_of(gateway)
    refused(ask(gateway, fleet.knows(owner["id"], new_name("none")), REGISTER, "POST", report(gateway)), 404,
            "MACHINE_NOT_FOUND")  # fmt: skip
    refused(ask(gateway, fleet.knows(owner["id"]), REGISTER, "POST", report(gateway)), 401, "UNAUTHENTICATED")
    viewer = fleet.knows(new_user(gateway, "viewer")["id"], machine["agent_id"])
    refused(ask(gateway, viewer, REGISTER, "POST", report(gateway)), 403, "FORBIDDEN")
    # Another tenant's machine is no machine at all.
    north = gateway.cli_json("tenant", "add", new_name("north"), "--administrator", "ada", "--state-dir", gateway.state)
    stranger = fleet.knows(north["administrator"]["id"], machine["agent_id"])
    refused(ask(gateway, stranger, REGISTER, "POST", report(gateway)), 404, "MACHINE_NOT_FOUND")


def test_a_machine_with_a_key_of_its_own_is_nobody_elses(gateway, fleet):
    tunnel = Tunnel(gateway)
    token = fleet.knows(new_user(gateway, "admin")["id"], tunnel.agent_id)
    refused(ask(gateway, token, REGISTER, "POST", report(gateway)), 403, "FORBIDDEN")
    assert gateway.call("POST", HEARTBEAT, {"generation": tunnel.generation}, tunnel.agent_key).status == 200
    # Once it gets one, what stood for it is over.
    machine = machine_of(gateway)
    token = fleet.knows(new_user(gateway)["id"], machine["agent_id"])
    beat = {"generation": ask(gateway, token, REGISTER, "POST", report(gateway)).body["generation"]}
    gateway.ok("POST", f"/api/v1/machines/{machine['agent_id']}/keys", {"label": "own"})
    refused(ask(gateway, token, HEARTBEAT, "POST", beat), 403, "FORBIDDEN")


def test_an_agent_key_names_no_other_machine(gateway):
    tunnel, other = Tunnel(gateway), machine_of(gateway)
    beat = {"generation": tunnel.generation}
    for claim, status in ((tunnel.agent_id, 200), (other["agent_id"], 401), ("", 401)):
        answer = gateway.call("POST", HEARTBEAT, beat, tunnel.agent_key, headers={"X-Agent-ID": claim})
        assert answer.status == status, (claim, answer)


def test_disabling_the_owner_ends_their_nodes_tunnels(gateway, fleet):
    owner, machine = new_user(gateway), machine_of(gateway)
    token = fleet.knows(owner["id"], machine["agent_id"])
    tunnel = Tunnel.__new__(Tunnel)
    tunnel.gateway, tunnel.target_port, tunnel.name, tunnel.ssh = gateway, 9, machine["name"], None
    tunnel.key, tunnel.agent_key = KeyPair(gateway.home, "reverse"), token
    try:
        tunnel.register(tunnel.key)
        tunnel.open()
        gateway.ok("PATCH", f"/api/v1/users/{owner['name']}", {"disabled": True})
        wait_until(lambda: tunnel.ssh.poll() is not None and not listening(tunnel.port), 5, "the tunnel gone")
        refused(ask(gateway, token, HEARTBEAT, "POST", {"generation": tunnel.generation}), 403, "ACCOUNT_DISABLED")
    finally:
        tunnel.close()


# --- the setting ---


def test_a_fleet_with_a_private_authority(tmp_path):
    authority, certificate = tmp_path / "ca.pem", tmp_path / "fleet.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    run([*make, "-subj", "/CN=fleet authority", "-keyout", certificate, "-out", authority,
         "-addext", "subjectAltName=IP:127.0.0.1"], check=True)  # fmt: skip
    certificate.write_text(authority.read_text() + certificate.read_text())
    shown = programs.session_folder() / f"{new_name('ca')}.pem"
    shown.write_text(authority.read_text())
    shown.chmod(0o644)
    with Fleet(certificate) as secure:
        for more, status in (([], 503), (["--outbound-ca-file", str(shown)], 200)):
            with Gateway(extra=["--fleet-url", secure.url, *more]) as own:
                token = secure.knows(new_user(own)["id"])
                assert own.call("GET", WHOAMI, token=token).status == status
                assert secure.asked[token] == (status == 200)


def test_an_authority_that_cant_be_read_refuses_the_start(tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate\n")
    for path in (empty, tmp_path / "missing.pem"):
        with Gateway(start=False) as own:
            assert "outbound-ca-file" in own.refused("--outbound-ca-file", path)
            assert not own.state.joinpath("tidegate.db").exists()


@pytest.mark.parametrize(("url", "words"), [
    ("http://fleet.internal:8080", "https://"), ("http://10.0.0.5", "https://"), ("ftp://x", "https://"),
    ("https://fleet.example?x=1", "query"), ("https://u:p@fleet.example", "user name"), ("https://fleet.example:0", "port"),
])  # fmt: skip
def test_a_url_that_cant_be_meant_refuses_the_start(url, words):
    with Gateway(start=False) as gateway:
        log = gateway.refused("--fleet-url", url)
        assert "fleet-url" in log and words in log
        assert "u:p" not in log


def test_a_fleet_at_an_address_that_is_never_called(gateway):
    """The gateway's own port: what it would ask is itself."""
    with Gateway(start=False) as own:
        own.extra = ["--fleet-url", own.api.url]
        own.start()
        refused(own.call("GET", WHOAMI, token=new_node_token()), 503, "PROVIDER_UNAVAILABLE")


def test_no_token_is_written_anywhere(gateway, fleet):
    token = fleet.knows(new_user(gateway)["id"])
    bad = new_node_token()
    ask(gateway, token), ask(gateway, bad)
    gateway.ok("GET", "/api/v1/audit/events")
    for secret in (token, bad):
        assert secret not in gateway.log
        for path in gateway.state.rglob("*"):
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), path
