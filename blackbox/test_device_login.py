"""`tidegate login`: a code typed in a browser somewhere else becomes a token here (RFC 8628)."""

import base64
import hashlib
import json
import re
import socket
import time

from answers import problem
from browsers import Browser, browser, site
from logins import DeviceLogin
from people import PHRASE


def decide(browser, code, approve=True, **proof):
    return browser.call(
        "POST", "/api/v1/auth/device/decision", {"user_code": code, "approve": approve, **proof})  # fmt: skip


def environment_of(home):
    return {"TIDEGATE_HOME": str(home), "TIDEGATE_URL": "", "TIDEGATE_TOKEN_FILE": ""}


def test_from_a_code_to_a_token_and_back(site, browser, tmp_path):
    with DeviceLogin(site, tmp_path) as login:
        assert login.address == f"{site.api.url}/device" and "?" not in login.address
        seen = browser.call("POST", "/api/v1/auth/device/lookup", {"user_code": login.code}).body
        assert seen["client_name"] == f"tidegate on {socket.gethostname()}" and seen["source"] == site.address
        problem(decide(browser, login.code), 400)
        assert decide(browser, login.code, password=PHRASE).status == 200
        code, out, err = login.finish()
        assert code == 0 and json.loads(out)["name"] == "admin", err
    stored = tmp_path / "credentials.json"
    assert stored.stat().st_mode & 0o777 == 0o600
    token = re.search(r"tgp_[A-Za-z0-9_-]{43}", stored.read_text()).group(0)
    assert token not in out + err
    status = json.loads(site.cli("auth", "status", "--json", environment=environment_of(tmp_path)).stdout)
    assert status["credential"]["kind"] == "token" and status["user"]["name"] == "admin"
    row = next(row for row in site.ok("GET", "/api/v1/tokens") if row["id"] == status["credential"]["id"])
    assert row["label"] == f"tidegate on {socket.gethostname()}"
    left = site.cli("logout", "--json", environment=environment_of(tmp_path))
    assert json.loads(left.stdout)["ended"] == {"sessions_ended": 1, "token_revoked": True}
    assert site.api.call("GET", "/api/v1/whoami", token=token).status == 401
    assert not browser.signed_in(), "logging out ends the browsers' sessions too"
    assert token not in stored.read_text()


def test_a_denied_request_ends_the_command(site, browser, tmp_path):
    with DeviceLogin(site, tmp_path) as login:
        assert decide(browser, login.code, approve=False).status == 200
        code, _, err = login.finish()
        assert code == 1 and "turned down" in err
    assert not (tmp_path / "credentials.json").exists()


def begin(site, source="203.0.113.9"):
    verifier = base64.urlsafe_b64encode(hashlib.sha256(str(time.monotonic_ns()).encode()).digest()).decode().rstrip("=")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    answer = site.api.call(
        "POST", "/api/v1/auth/device", {"client_name": "tidegate on a thief's host", "code_challenge": challenge},
        headers={"X-Forwarded-For": source})  # fmt: skip
    assert answer.status == 200, answer
    return answer.body, verifier


def poll(site, device, verifier):
    return site.api.call(
        "POST", "/api/v1/auth/device/token", {"device_code": device["device_code"], "code_verifier": verifier}
    )


def test_a_link_approves_nothing_and_nor_does_another_site(site, browser):
    device, verifier = begin(site)
    assert "verification_uri_complete" not in device and device["user_code"] not in device["verification_uri"]
    for path in (device["verification_uri"], f"{device['verification_uri']}?user_code={device['user_code']}"):
        browser.call("GET", path.removeprefix(site.api.url))
    foreign = {"Origin": "https://evil.example"}
    body = {"user_code": device["user_code"], "approve": True, "password": PHRASE}
    problem(browser.call("POST", "/api/v1/auth/device/decision", body, headers=foreign), 403, "CSRF_REFUSED")
    problem(browser.call("POST", "/api/v1/auth/device/decision", body, token=False), 403, "CSRF_REFUSED")
    problem(poll(site, device, verifier), 400, "AUTHORIZATION_PENDING")


def test_a_token_cannot_approve_for_itself(site):
    device, _ = begin(site)
    answer = site.call(
        "POST", "/api/v1/auth/device/decision", {"user_code": device["user_code"], "approve": True, "password": PHRASE}
    )
    problem(answer, 403)


def test_the_device_code_without_its_verifier_is_nothing(site, browser):
    device, verifier = begin(site)
    assert decide(browser, device["user_code"], password=PHRASE).status == 200
    problem(poll(site, device, "v" * 43), 400, "EXPIRED_TOKEN")
    assert poll(site, device, verifier).status == 201
    problem(poll(site, device, verifier), 400)


def test_asking_too_often_is_told_so(site):
    device, verifier = begin(site)
    problem(poll(site, device, verifier), 400, "AUTHORIZATION_PENDING")
    answer = problem(poll(site, device, verifier), 400, "SLOW_DOWN")
    assert int(answer.headers["retry-after"]) >= 5


def test_guessing_codes_ends_after_five(site):
    browser = Browser(site, "192.0.2.40")
    assert browser.sign_in("admin", PHRASE).status == 200
    statuses = [
        browser.call("POST", "/api/v1/auth/device/lookup", {"user_code": f"BBBB-BBB{letter}"}).status
        for letter in "BCDFGHJK"
    ]
    assert statuses == [404] * 5 + [429] * 3


def test_one_source_has_twenty_places(site):
    answers = [begin(site, "203.0.113.77") for _ in range(20)]
    assert len({device["user_code"] for device, _ in answers}) == 20
    answer = site.api.call(
        "POST", "/api/v1/auth/device", {"client_name": "x", "code_challenge": "A" * 43},
        headers={"X-Forwarded-For": "203.0.113.77"})  # fmt: skip
    problem(answer, 429, "TOO_MANY_REQUESTS")
    begin(site, "203.0.113.78")


def test_bad_bodies_before_a_browser(site, browser):
    for path in ("/api/v1/auth/device/lookup", "/api/v1/auth/device/decision"):
        for body in ({}, {"user_code": 1}, {"user_code": "\x1b[1m"}, {"user_code": "B" * 10_000}, {"colour": "red"}, []):
            answer = browser.call("POST", path, body)
            assert answer.status == 400, f"{path} {body}: {answer}"


def test_a_known_token_is_still_stored_by_itself(site, tmp_path):
    site.cli("login", site.api.url, "--token-file", str(site.token_file), environment=environment_of(tmp_path))
    assert "admin" in site.cli("whoami", environment=environment_of(tmp_path)).stdout
    left = site.cli("logout", "--local", "--json", environment=environment_of(tmp_path))
    assert json.loads(left.stdout) == {"url": site.api.url}
    assert site.call("GET", "/api/v1/whoami").status == 200
