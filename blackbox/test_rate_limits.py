"""Limits: refused credentials count for their source, good work for its credential, and neighbours share nothing."""

import base64
import collections
import concurrent.futures
import http.client
import os
import re
import statistics
import time

import pytest
from answers import problem
from browsers import site
from gateway import Gateway, default_mode
from own_memory import gateway_pid, resident
from sshkeys import KeyPair
from waiting import wait_until

WHOAMI = "/api/v1/whoami"
BURST = 300


def wrong_token():
    return "tgp_" + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")


def refuse(site, source, count, token=None):
    """The statuses of `count` requests with wrong tokens from `source`."""
    statuses = collections.Counter()
    connection = None
    for _ in range(count):
        connection = connection or http.client.HTTPConnection(site.api.host, site.api.port, timeout=15)
        connection.request(
            "GET", WHOAMI, headers={"Authorization": f"Bearer {token or wrong_token()}", "X-Forwarded-For": source})
        response = connection.getresponse()
        response.read()
        statuses[response.status] += 1
        if response.status == 429:
            assert int(response.headers["retry-after"]) >= 1
        if response.will_close:
            connection.close()
            connection = None
    if connection:
        connection.close()
    return statuses


def test_a_source_that_shows_rubbish_is_told_to_wait_and_its_neighbours_are_served(site):
    """One NAT: rubbish, a fleet's agents and a person come from one address."""
    source = {"X-Forwarded-For": "198.51.100.1"}
    statuses = refuse(site, "198.51.100.1", BURST + 100)
    assert statuses[401] >= BURST and statuses[429] >= 1 and set(statuses) == {401, 429}, statuses
    answer = problem(site.api.call("GET", WHOAMI, token=wrong_token(), headers=source), 429, "TOO_MANY_REQUESTS")
    assert "wait" in answer.body["detail"]
    assert site.api.call("GET", WHOAMI, token=site.token, headers=source).status == 200
    # A machine's first request ever, by a key the gateway has not seen since it was made; and its enrolment.
    made = site.ok("POST", "/api/v1/machines", {"name": "behind-nat"})
    control = KeyPair(site.home).line
    enrolled = site.api.call(
        "POST", "/api/v1/agent/enrol", {"public_key": control}, token=made["enrolment"]["token"], headers=source)
    assert enrolled.status == 201, enrolled
    first = site.api.call(
        "POST", "/api/v1/agent/heartbeat", {"generation": 0}, token=enrolled.body["agent_key"], headers=source)
    assert first.status not in (401, 429), first
    # Elsewhere a wrong token is only wrong.
    problem(site.api.call("GET", WHOAMI, token=wrong_token(), headers={"X-Forwarded-For": "198.51.100.2"}), 401)


def test_an_ipv6_subscriber_is_one_source(site):
    for number in range(BURST + 50):
        last = refuse(site, f"2001:db8:77:1::{number:x}", 1)
        if last[429]:
            break
    assert last[429]
    assert refuse(site, "2001:db8:77:2::1", 1)[401]


def test_no_header_and_other_refused_credentials_count_too(site):
    source = {"X-Forwarded-For": "198.51.100.3"}
    seen = collections.Counter()
    key = KeyPair(site.home).line
    for number in range(BURST + 100):
        method, path, body, token = [
            ("GET", WHOAMI, None, None), ("POST", "/api/v1/agent/enrol", {"public_key": key}, "tge_" + "A" * 43),
            ("POST", "/api/v1/agent/heartbeat", {"generation": 1}, "cak_" + "A" * 43)][number % 3]  # fmt: skip
        seen[site.api.call(method, path, body, token=token, headers=source).status] += 1
    assert seen[401] >= BURST - 10 and seen[429] >= 1, seen


def test_one_credential_has_a_rate_and_nobody_else_pays():
    with Gateway(default_mode(), extra=["--trusted-proxies", "127.0.0.1", "--request-rate", "20"]) as gateway:
        other = gateway.ok("POST", "/api/v1/tokens", {"label": "other"})["token"]
        connection = http.client.HTTPConnection(gateway.api.host, gateway.api.port, timeout=15)
        statuses = collections.Counter()
        begun = time.monotonic()
        for number in range(400):
            # From another address each time: it is the credential that counts.
            connection.request("GET", WHOAMI, headers={
                "Authorization": f"Bearer {gateway.token}", "X-Forwarded-For": f"203.0.113.{number % 250}"})  # fmt: skip
            response = connection.getresponse()
            response.read()
            statuses[response.status] += 1
        allowed = 40 + 20 * (time.monotonic() - begun) + 1
        assert statuses[429] and statuses[200] <= allowed, (statuses, allowed)
        assert gateway.api.call("GET", WHOAMI, token=other).status == 200
        metrics = gateway.api.call("GET", "/metrics").raw.decode()
        limited = re.search(r'^tidegate_rate_limited_total{limit="work"} ([0-9.]+)$', metrics, re.MULTILINE)
        assert float(limited[1]) >= statuses[429], metrics
        # The probes of a balancer are never told to wait, and who waits as told is served.
        assert gateway.api.call("GET", "/readyz").status == 200
        wait_until(lambda: gateway.api.call("GET", WHOAMI, token=gateway.token).status == 200, 10, "an answer")
    with Gateway(default_mode(), start=False) as gateway:
        for wrong in ("many", "-1", "100001", "1.5"):
            assert "request-rate must be a number from 1 to 100000" in gateway.refused(f"--request-rate={wrong}")


@pytest.mark.parametrize("count, sources", [
    pytest.param(5_000, 10, id="tenth"), pytest.param(50_000, 100, id="full", marks=pytest.mark.long)])  # fmt: skip
def test_a_flood_of_wrong_tokens_locks_nobody_out(site, figures, count, sources):
    """Wrong tokens from many sources, one of which an administrator sits behind; memory stays flat."""
    pid = gateway_pid(site)
    refuse(site, "198.18.255.1", 500)
    before, ended = resident(pid), []

    def own():
        times = []
        while not ended:
            begun = time.perf_counter()
            answer = site.api.call("GET", WHOAMI, token=site.token, headers={"X-Forwarded-For": "198.18.7.0"})
            assert answer.status == 200, answer
            times.append(time.perf_counter() - begun)
        return times

    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(8) as pool, concurrent.futures.ThreadPoolExecutor(1) as good:
        served = good.submit(own)
        parts = pool.map(lambda number: refuse(site, f"198.18.7.{number}", count // sources), range(sources))
        statuses = sum(parts, collections.Counter())
        elapsed = time.perf_counter() - begun
        ended.append(True)
        times = served.result(60)
    assert set(statuses) <= {401, 429} and sum(statuses.values()) == count
    assert statuses[429], statuses
    after = resident(pid)
    figures.note(
        f"{count} wrong tokens from {sources} sources",
        f"{count / elapsed:.0f}/s: {statuses[401]} x 401, {statuses[429]} x 429; a good token from one of them "
        f"{len(times)} of {len(times)}, median {statistics.median(times) * 1000:.1f} ms, worst "
        f"{max(times) * 1000:.0f} ms; memory {(after - before) / 1024:+.1f} MiB")  # fmt: skip
    assert after < before + 16_000, (before, after)


def test_what_was_limited_is_in_the_trail_once_a_minute():
    with Gateway(default_mode(), extra=["--trusted-proxies", "127.0.0.1"]) as gateway:
        refuse(gateway, "198.51.100.9", BURST + 100)
        gateway.stop()
        gateway.start()
        events = gateway.ok("GET", "/api/v1/audit/events?action=access.rate-limited")
        assert [event["source"] for event in events] == ["198.51.100.9"]
        assert events[0]["details"]["reason"] == "refused" and int(events[0]["details"]["count"]) >= 1
