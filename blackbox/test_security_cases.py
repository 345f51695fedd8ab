"""Cases against machines' keys and the API's edges, each by its name in the list of security cases it comes from.

9 to 11 are of viewer tokens and 14 to 37 of the relay, which isn't here. 12 and 13 (another tenant's things) and 39 (a
forbidden address) are in test_access.py, 41 (every route and every kind of sender) in RouteWalkTests.
"""

import json
import os
import re
import statistics
import time

import pytest
from gateway import Gateway, default_mode
from people import Person
from tunnels import Tunnel, new_name

KEY = re.compile(r"cak_[A-Za-z0-9_-]{43}")
UNKNOWN = "cak_" + "A" * 43


@pytest.fixture(scope="module")
def machines(gateway):
    return Tunnel(gateway), Tunnel(gateway)


def heartbeat(gateway, token, generation=1, **options):
    return gateway.call("POST", "/api/v1/agent/heartbeat", {"generation": generation}, token, **options)


def test_case_1_keys_are_unique_and_kept_nowhere(gateway):
    """The ten thousand of the case are minted in CredentialTextTests; here the ones a store and a log have seen."""
    tunnel = Tunnel(gateway)
    path = f"{tunnel.path}/keys"
    made = []
    for _ in range(200):
        answer = gateway.ok("POST", path)
        assert KEY.fullmatch(answer["key"]) and set(answer) == {"id", "machine_id", "key", "created_at"}
        made.append(answer["key"])
        assert gateway.call("DELETE", f"{path}/{answer['id']}").status == 204
    assert len(set(made)) == len(made)
    kept = b"".join(file.read_bytes() for file in gateway.state.rglob("*") if file.is_file()) + gateway.log.encode()
    assert not [key for key in made if key.encode() in kept]


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_case_2_a_users_token_is_no_agents(gateway, role):
    person = Person(gateway, role)
    for token in (person.token, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"):
        for path, body in [("heartbeat", {"generation": 1}), ("register", {}), ("enrol", {})]:
            answer = gateway.call("POST", f"/api/v1/agent/{path}", body, token)
            assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("text", ["ABCD2345", "tge_" + "A" * 43, "tgp_" + "A" * 43, "eyJhbGciOiJub25lIn0.e30."])
def test_case_3_other_credentials_are_no_key(gateway, text):
    assert heartbeat(gateway, text).status == 401


@pytest.mark.parametrize(
    "text", ["", " ", "cak_", "cak_short", "cak_" + "A" * 42, "cak_" + "A" * 44, "cak_" + "A" * 42 + "=", "A" * 5_000]
)
def test_case_4_bad_shapes_are_401(gateway, text):
    """That the store isn't asked for them is counted in AuthenticationTests; 1 MiB of header is refused by its size."""
    assert gateway.call("POST", "/api/v1/agent/heartbeat", {}, None, headers={"Authorization": f"Bearer {text}"}).status == 401


def test_case_4_a_mebibyte_is_refused_unread(gateway):
    try:
        answer = gateway.call("POST", "/api/v1/agent/heartbeat", {}, "cak_" + "A" * (1 << 20))
    except OSError:
        pass  # Closed while we were still sending.
    else:
        assert answer.status in (400, 431), answer
    assert gateway.call("GET", "/healthz", token=None).status == 200


def test_case_5_a_key_is_its_own_machines(gateway, machines):
    """The machine comes from the key alone: no request can name another one."""
    ours, other = machines
    before = gateway.ok("GET", other.path)["last_seen_at"]
    answer = heartbeat(gateway, ours.agent_key, ours.generation)
    assert answer.status == 200
    named = {"generation": ours.generation, "agent_id": other.agent_id}
    assert gateway.call("POST", "/api/v1/agent/heartbeat", named, ours.agent_key).code == "UNKNOWN_FIELD"
    query = f"/api/v1/agent/heartbeat?agent_id={other.agent_id}"
    assert gateway.call("POST", query, {"generation": 1}, ours.agent_key).status == 400
    for claim, status in [(ours.agent_id, 200), (other.agent_id, 401), ("nobody", 401)]:
        answer = gateway.call("POST", "/api/v1/agent/heartbeat", {"generation": ours.generation}, ours.agent_key,
                              headers={"X-Agent-ID": claim})  # fmt: skip
        assert answer.status == status, (claim, answer)
    assert gateway.ok("GET", other.path)["last_seen_at"] == before


def test_case_6_no_list_shows_a_secret(gateway, machines):
    gateway.ok("POST", f"{machines[0].path}/keys")
    gateway.ok("POST", f"{machines[0].path}/enrolments", {})
    gateway.ok("POST", "/api/v1/tokens", {"label": "listed"})
    secret = re.compile(r"(cak|tge|tgp|tgs|tga|tgi)_[A-Za-z0-9_-]{20,}|[0-9a-f]{64}|\$scrypt")
    for path in [
        "machines", f"machines/{machines[0].agent_id}", f"machines/{machines[0].agent_id}/keys",
        f"machines/{machines[0].agent_id}/enrolments", "tokens", "tunnel-keys", "connections", "users", "grants",
        "audit/events?limit=1000", "whoami", "gateway",
    ]:  # fmt: skip
        text = json.dumps(gateway.ok("GET", f"/api/v1/{path}"))
        assert not secret.search(text), f"{path}: {secret.search(text)}"


def test_case_7_a_key_is_revoked_under_its_own_machine(gateway, machines):
    ours, other = machines
    theirs = other.key_ids()[0]
    answer = gateway.call("DELETE", f"{ours.path}/keys/{theirs}")
    assert (answer.status, answer.code) == (404, "KEY_NOT_FOUND")
    assert heartbeat(gateway, other.agent_key, other.generation).status == 200
    spare = gateway.ok("POST", f"{ours.path}/keys")["id"]
    path = f"{ours.path}/keys/{spare}"
    assert gateway.call("DELETE", path).status == 204
    revoked = [row["revoked_at"] for row in gateway.ok("GET", f"{ours.path}/keys") if row["id"] == spare]
    assert gateway.call("DELETE", path).status == 204
    assert [row["revoked_at"] for row in gateway.ok("GET", f"{ours.path}/keys") if row["id"] == spare] == revoked
    # A malformed id names nothing: 404 in the envelope, as everywhere in this API.
    answer = gateway.call("DELETE", f"{ours.path}/keys/nonsense")
    assert (answer.status, answer.code) == (404, "KEY_NOT_FOUND")
    assert answer.headers["content-type"] == "application/problem+json"


def test_case_8_a_lost_store_refuses_and_says_so(fresh_gateway):
    """No fallback to anything: 503 for keys nobody remembers, never 401, and no lease moves."""
    gateway = fresh_gateway
    gateway.stop()
    gateway.start()
    tunnel = Tunnel(gateway)
    fresh = gateway.ok("POST", f"{tunnel.path}/keys")["key"]
    # The whole file, while the gateway reads it: every page it hasn't in memory is garbage now.
    size = os.path.getsize(gateway.database)
    for path in (gateway.database, gateway.database.with_name(gateway.database.name + "-wal")):
        if path.exists():
            path.write_bytes(os.urandom(max(size, path.stat().st_size)))
    for path, token, body in [
        ("agent/heartbeat", fresh, {"generation": tunnel.generation}), ("agent/heartbeat", UNKNOWN, {"generation": 1}),
        ("machines", gateway.token, None), ("whoami", "tgp_" + "A" * 43, None),
    ]:  # fmt: skip
        answer = gateway.call("GET" if body is None else "POST", f"/api/v1/{path}", body, token)
        assert (answer.status, answer.code) == (503, "DATABASE_UNAVAILABLE"), (path, answer)


def test_case_38_headers_that_name_somebody_are_nothing(gateway, machines):
    forged = {
        "X-User": "admin", "X-User-ID": "admin", "X-Tenant-ID": "1", "X-Actor-Source": "cloud_pat", "X-Real-IP": "203.0.113.9",
        "X-Forwarded-For": "203.0.113.9", "X-Forwarded-User": "admin", "Remote-User": "admin",
    }  # fmt: skip
    assert gateway.call("GET", "/api/v1/whoami", token=None, headers=forged).status == 401
    person = Person(gateway)
    plain = gateway.ok("GET", "/api/v1/whoami", token=person.token)
    assert gateway.ok("GET", "/api/v1/whoami", token=person.token, headers=forged) == plain
    name = new_name()
    gateway.ok("POST", "/api/v1/machines", {"name": name}, headers=forged)
    event = gateway.ok("GET", "/api/v1/audit/events?action=machine.added&limit=1")[0]
    assert event["details"]["name"] == name and event["source"] == "127.0.0.1"
    before = gateway.ok("GET", machines[1].path)["last_seen_at"]
    answer = gateway.call("POST", "/api/v1/agent/heartbeat", {"generation": machines[0].generation},
                          machines[0].agent_key, headers=forged)  # fmt: skip
    assert answer.status == 200
    assert gateway.ok("GET", machines[1].path)["last_seen_at"] == before


@pytest.mark.parametrize("name", ["$where", "id;--", "sort", "order_by", "filter[name]", "limit;", "LIMIT", "%00"])
@pytest.mark.parametrize("path", ["machines", "tunnel-keys", "audit/events", "users", "grants", "tokens"])
def test_case_40_unknown_filters_are_400(gateway, path, name):
    answer = gateway.call("GET", f"/api/v1/{path}?{name.replace(';', '%3B').replace('$', '%24')}=1%27%20OR%201%3D1")
    assert (answer.status, answer.code) == (400, "UNKNOWN_FIELD"), answer
    assert b"SELECT" not in answer.raw and b"sqlite" not in answer.raw.lower()


def test_case_42_unknown_and_revoked_keys_look_alike(figures):
    # Many sources: one that is refused so often is told to wait.
    with Gateway(default_mode(), extra=["--trusted-proxies", "127.0.0.1"]) as gateway:
        compare_refusals(gateway, figures)


def compare_refusals(gateway, figures):
    tunnel = Tunnel(gateway)
    revoked = gateway.ok("POST", f"{tunnel.path}/keys")
    assert gateway.call("DELETE", f"{tunnel.path}/keys/{revoked['id']}").status == 204
    took = {"unknown": [], "revoked": []}
    bodies = set()
    for number in range(150):
        for kind, key in (("unknown", UNKNOWN), ("revoked", revoked["key"])):
            begun = time.perf_counter()
            answer = heartbeat(gateway, key, headers={"X-Forwarded-For": f"198.51.100.{number}"})
            took[kind].append(time.perf_counter() - begun)
            assert answer.status == 401
            bodies.add(json.dumps({name: value for name, value in answer.body.items() if name != "request_id"}))
    assert len(bodies) == 1
    medians = {kind: statistics.median(times) * 1000 for kind, times in took.items()}
    figures.note("refusal of an unknown and of a revoked key", " / ".join(f"{value:.2f} ms" for value in medians.values()))
