"""Machines as rows: merge patch, filters, pages, deleting."""

import json

import pytest
import routes
from answers import Site, problem
from routes import KEY
from tunnels import Tunnel, new_name


@pytest.fixture(scope="module")
def site(gateway):
    return Site(gateway)


def test_a_merge_patch_answers_the_row_as_stored(site):
    name = new_name("patched")
    machine = Tunnel(site.gateway, register=False)
    call = site.gateway.ok
    row = call("PATCH", machine.path, {"name": name, "organization": "Acme", "site": "Łódź 1", "tags": ["b", "a", "a"]})
    assert (row["name"], row["organization"], row["site"], row["tags"]) == (name, "Acme", "Łódź 1", ["a", "b"])
    assert call("GET", machine.path) == row
    row = call("PATCH", machine.path, {"site": None})
    assert (row["site"], row["organization"]) == ("", "Acme")
    for body in ({"name": None}, {"tags": None}, {"tags": ["A B"]}, {"tags": ["t"] * 1 + [f"t{n}" for n in range(40)]},
                 {"name": "UPPER"}, {"name": "a.b"}, {"name": "-a"}, {"agent_id": "x"}, {"id": "x"}):  # fmt: skip
        problem(site.gateway.call("PATCH", machine.path, body), 400)
    problem(site.gateway.call("PATCH", machine.path, {"name": site.tunnel.name}), 409, "NAME_TAKEN")
    assert call("GET", machine.path) == row
    for query, found in (
        ("organization=Acme", 1),
        ("organization=Other", 0),
        ("tag=a", 1),
        (f"name={name}", 1),
        ("site=", None),
    ):
        rows = call("GET", f"/api/v1/machines?{query}")
        assert found is None or len([each for each in rows if each["id"] == row["id"]]) == found, query
    events = call("GET", "/api/v1/audit/events")
    assert any(row["id"] in event["subject"] or machine.agent_id in json.dumps(event) for event in events)


def test_lists_are_paged_newest_first(site):
    names = [new_name("page") for _ in range(5)]
    for name in names:
        site.gateway.ok("POST", "/api/v1/machines", {"name": name})
    seen, path = [], "/api/v1/machines?limit=2"
    while path:
        answer = site.gateway.call("GET", path)
        assert answer.status == 200 and len(answer.body) <= 2
        seen += [row["name"] for row in answer.body]
        link = answer.headers.get("link", "")
        path = link.split("<")[1].split(">")[0] if 'rel="next"' in link else None
        path = "/" + path.split("/", 3)[3] if path and path.startswith("http") else path
    assert [name for name in seen if name in names] == names[::-1]
    assert len(seen) == len(set(seen))


def test_deleting_twice_and_what_never_was(site):
    made = site.gateway.ok("POST", "/api/v1/tokens", {"label": "twice"})
    assert [site.gateway.call("DELETE", f"/api/v1/tokens/{made['id']}").status for _ in range(2)] == [204, 204]
    problem(site.gateway.call("DELETE", f"/api/v1/tokens/{routes.UUID}"), 404, "TOKEN_NOT_FOUND")
    key = {"public_key": KEY, "machines": [site.tunnel.name]}
    first, again = (site.gateway.call("POST", "/api/v1/tunnel-keys", key) for _ in range(2))
    assert (first.status, again.status) == (201, 200) and first.body["id"] == again.body["id"]
    path = f"/api/v1/tunnel-keys/{first.body['id']}"
    assert [site.gateway.call("DELETE", path).status for _ in range(2)] == [204, 204]
