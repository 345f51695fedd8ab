"""Bad input at every route: the right status, a problem body, nothing changed and nothing secret in the log."""

import json
import socket

import pytest
import routes
from answers import Site, problem
from routes import ADMIN, ANYBODY, ENROLMENT, MACHINE, PATHS, ROUTES, WITH_BODY
from tunnels import Tunnel

NASTY = "\x1b]0;owned\x07"
SECRET_LOOKING = "tgp_" + "Z" * 43


@pytest.fixture(scope="module")
def site(gateway):
    return Site(gateway)


@pytest.fixture
def unchanged(site):
    before = site.facts()
    yield
    assert site.facts() == before


def paired(names):
    return [pytest.param(route, id=repr(route)) for route in names]


every_body = pytest.mark.parametrize("route", paired(WITH_BODY))
every_route = pytest.mark.parametrize("route", paired(ROUTES))


def send(site, route, **options):
    return site.gateway.api.call(route.method, site.path(route), token=site.credential(route), **options)


BROKEN = {
    "not JSON": b"{not json",
    "empty": b"",
    "half": b'{"name": "a',
    "an array": b"[]",
    "a number": b"1",
    "null": b"null",
    "trailing words": b'{} {"a": 1}',
    "invalid UTF-8": b'{"name": "\xff\xfe", "label": "\xc3\x28", "secret": "\xff", "public_key": "\xff"}',
    "a lone surrogate": b'{"name": "\\ud800", "label": "\\ud800", "secret": "\\ud800", "public_key": "\\ud800"}',
    "deep nesting": b'{"name":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deeper nesting": b"[" * 200_000 + b"]" * 200_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a huge number": b'{"ttl": 1e999, "generation": 1e999, "enrolment_ttl": 1e999}',
}


@every_body
def test_broken_bodies(site, route, unchanged):
    for name, raw in BROKEN.items():
        if name == "empty" and not route.required:
            continue  # nothing has to be said there, so nothing may be sent
        answer = send(site, route, raw=raw)
        assert answer.status == 400, f"{name}: {answer}"
        problem(answer, 400)


@every_body
def test_unknown_fields_are_named(site, route, unchanged):
    answer = send(site, route, body=route.body | {"colour": "red"})
    problem(answer, 400, "UNKNOWN_FIELD")
    assert "colour" in answer.body["detail"]
    answer = send(site, route, body=route.body | {NASTY: 1})
    problem(answer, 400, "UNKNOWN_FIELD")
    assert "\x1b" not in answer.body["detail"] and "\x07" not in answer.body["detail"]


@every_body
def test_missing_fields_are_named(site, route, unchanged):
    for field in route.required:
        answer = send(site, route, body={name: value for name, value in route.body.items() if name != field})
        problem(answer, 400)
        assert field in answer.body["detail"], answer


@every_body
def test_wrong_types(site, route, unchanged):
    for field in route.body:
        for value in ({}, [[]], True, 1.5, {"a": [1]}, None if field in route.required else {}):
            problem(send(site, route, body=route.body | {field: value}), 400)


@every_body
def test_hostile_text(site, route, unchanged):
    for field, value in route.body.items():
        if isinstance(value, str):
            for text in ("a\0b", NASTY, "a\nb", "a\u202eb", "\u2028", "x" * 10_000, "../../etc", "a b\r\nHost: c", ""):
                if text == "" and field in ("os", "agent_version", "site", "organization", "label"):
                    continue
                if field in ("os", "agent_version", "site", "organization", "label") and text == "../../etc":
                    continue
                answer = send(site, route, body=route.body | {field: text})
                assert answer.status in (400, 401), f"{field}={text[:20]!r}: {answer}"
                problem(answer, answer.status)
                assert len(answer.raw) < 2000


@every_body
def test_a_body_of_one_mib_and_one_byte(site, route, unchanged):
    raw = b'{"name": "' + b"a" * ((1 << 20) - 11) + b'"}'
    assert len(raw) == (1 << 20) + 1
    problem(send(site, route, raw=raw), 413, "BODY_TOO_LARGE")


@every_body
def test_the_content_type_is_exact(site, route, unchanged):
    raw = json.dumps(route.body).encode()
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        None,
        "multipart/form-data; a=b",
    ):
        problem(send(site, route, raw=raw, headers={"Content-Type": kind}), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("path", PATHS)
def test_wrong_methods_say_which_are_right(site, path, unchanged):
    right = {route.method for route in ROUTES if route.path == path}
    filled = routes.Route("GET", path, set()).filled(site.tunnel.agent_id)
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - right - ({"GET"} if path.endswith("{id}") else set()):
        answer = site.gateway.call(method, filled)
        problem(answer, 405, "METHOD_NOT_ALLOWED")
        assert right <= {word.strip() for word in answer.headers["allow"].split(",")}, answer.headers


def test_paths_that_are_not_there(site, unchanged):
    for path in (
        "/api/v1/nothing",
        "/api/v1/machines/a/b/c",
        "/api/v2/machines",
        "/api/v1/../v1/x",
        "/api/v1//machines/x",
    ):
        answer = site.gateway.call("GET", path)
        assert answer.status == 404, f"{path}: {answer}"
        problem(answer, 404)


def test_the_unversioned_alias(site):
    assert site.gateway.ok("GET", "/api/machines") == site.gateway.ok("GET", "/api/v1/machines")


@pytest.mark.parametrize("route", paired(routes.LISTS))
def test_unknown_query_parameters(site, route, unchanged):
    for query in (
        "colour=red",
        "limit=0",
        "limit=-1",
        "limit=a",
        "limit=99999999999999999999",
        "after=%00",
        "after=%1b",
    ):
        answer = site.gateway.call("GET", f"{site.path(route)}?{query}")
        if query == "colour=red" or "limit" in query and "limit" in supported(site, route):
            problem(answer, 400)
        else:
            assert answer.status in (200, 400), answer


def supported(site, route):
    """Paging is for the lists that can grow long."""
    return "limit" if site.gateway.call("GET", f"{site.path(route)}?limit=5").status == 200 else ""


@pytest.mark.parametrize("route", paired([route for route in ROUTES if "{" in route.path]))
def test_identifiers_that_are_not(site, route, unchanged):
    for identifier in ("%00", "a%0ab", "x" * 10_000, "%1b%5b31m", "%ff%fe", "..%2f..", "%20", "'%20or%201=1--"):
        path = route.path.replace("{agent_id}", identifier, 1) if "{agent_id}" in route.path else route.path
        path = path.replace("{id}", identifier)
        answer = site.gateway.call(route.method, path, route.body)
        assert answer.status in (400, 404, 414, 431), f"{path[:80]}: {answer}"
        problem(answer, answer.status)


@pytest.mark.parametrize("route", paired([route for route in ROUTES if "{" in route.path]))
def test_what_never_was_is_not_found(site, route, unchanged):
    problem(site.gateway.call(route.method, route.filled(), route.body), 404)
    if "{id}" in route.path:
        problem(site.gateway.call(route.method, site.path(route), route.body), 404)


# --- who may do what ---


def callers(site):
    return {
        "nobody": None,
        "a wrong token": SECRET_LOOKING,
        "a misshapen token": "nonsense",
        "a revoked token": site.revoked["token"],
        "the administrator": site.gateway.token,
        "a machine": site.tunnel.agent_key,
        "an enrolment token": site.enrolment,
    }


KIND = {"the administrator": ADMIN, "a machine": MACHINE, "an enrolment token": ENROLMENT}


@every_route
def test_route_by_principal(site, route, unchanged):
    """Not recognised is 401, recognised but not allowed is 403, in every cell; allowed ones are tested elsewhere.

    An agent's routes know agents alone: a user's token there is 401, whatever the user may do elsewhere.
    """
    for caller, token in callers(site).items():
        if KIND.get(caller) in route.allowed or ANYBODY in route.allowed:
            continue
        answer = site.gateway.api.call(route.method, site.path(route), route.body, token)
        known = caller in ("the administrator", "a machine")
        # An enrolment token is worth nothing but at enrolment, and enrolment takes nothing else.
        strict = known and ENROLMENT not in route.allowed and MACHINE not in route.allowed
        wanted = (403,) if strict else (401,) if MACHINE in route.allowed else (401, 403)
        assert answer.status in wanted, f"{caller}: {answer}"
        problem(answer, answer.status)
        if answer.status == 401:
            assert "bearer" in answer.headers.get("www-authenticate", "bearer").lower()


def test_a_machine_sees_no_other_machine(site):
    other = Tunnel(site.gateway)
    for path in (other.path, site.tunnel.path, "/api/v1/machines", f"{other.path}/keys"):
        assert site.gateway.api.call("GET", path, token=site.tunnel.agent_key).status == 403


def test_the_scheme_is_case_insensitive(site):
    for scheme in ("bearer", "BEARER", "token", "Token"):
        answer = site.gateway.api.call(
            "GET", "/api/v1/whoami", headers={"Authorization": f"{scheme} {site.gateway.token}"}
        )
        assert answer.status == 200, scheme
    for header in (
        "Basic YTpi",
        "Bearer",
        "Bearer  ",
        site.gateway.token,
        f"Bearer {site.gateway.token} x",
        "Bearer \xff",
    ):
        answer = site.gateway.api.call("GET", "/api/v1/whoami", headers={"Authorization": header})
        problem(answer, 401, "UNAUTHENTICATED")


def test_a_token_in_the_query_is_nothing(site):
    answer = site.gateway.api.call("GET", f"/api/v1/machines?access_token={site.gateway.token}")
    assert answer.status in (400, 401)


def raw_exchange(site, data):
    """Bytes as they are, and the first bytes of the answer."""
    with socket.create_connection((site.gateway.address, site.gateway.port), 10) as connection:
        connection.settimeout(10)
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
            if len(received) > 100:
                break
        return received


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"NONSENSE\r\n\r\n", id="no HTTP"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", id="two hosts"),
        pytest.param(b"POST /api/v1/setup HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(
            b"POST /api/v1/setup HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
            id="both lengths",
        ),
        pytest.param(b"GET /a\0b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", id="NUL in the path"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\nConnection: close\r\n\r\n", id="NUL in a header"),
    ],
)
def test_malformed_requests(site, data, unchanged):
    """An answer of the 400 family or a closed connection, and the gateway goes on."""
    with_answer = raw_exchange(site, data)
    if with_answer:
        assert with_answer.split(b" ", 2)[1][:1] in (b"4", b"2"), with_answer[:200]
        assert b"smuggled" not in with_answer
    assert site.gateway.call("GET", "/api/v1/whoami").status == 200


def test_request_ids(site):
    answer = site.gateway.call("GET", "/api/v1/nothing", headers={"X-Request-ID": "abc-123"})
    assert answer.body["request_id"] == "abc-123"
    for bad in ("a" * 65, "a b", "<x>", "é"):
        answer = site.gateway.call("GET", "/api/v1/nothing", headers={"X-Request-ID": bad.encode("latin-1")})
        assert answer.body["request_id"] != bad


def test_the_log_holds_no_secret_and_no_bytes_of_a_stranger(site):
    """Last of this file: everything above has been logged by now."""
    log = site.gateway.log
    for secret in (site.gateway.token, site.tunnel.agent_key, site.revoked["token"], site.enrolment, SECRET_LOOKING,
                   site.tunnel.enrolment["token"]):  # fmt: skip
        assert secret not in log and secret[4:30] not in log
    assert "\x1b" not in log and "\x07" not in log and "\u202e" not in log
    assert "access_token" not in log and "smuggled" not in log
