"""Passwords and sessions: signing in and out, what a cookie is good for, and a crowd that guesses."""

import collections
import concurrent.futures
import statistics
import time

from answers import problem
from browsers import Browser, browser, site
from gateway import Gateway, default_mode
from own_memory import gateway_pid, resident
from people import PHRASE, set_password
from waiting import wait_until

STATUS = "/api/v1/auth/status"


def test_passwords_are_set_by_the_operator_and_by_whoever_knows_the_present_one(site, tmp_path):
    refused = site.cli("user", "password", "admin", input="another long phrase\n", check=False)
    assert refused.returncode == 1 and "current_password" in refused.stderr
    (tmp_path / "old").write_text(PHRASE + "\n")
    site.cli("auth", "password", "--current-file", tmp_path / "old", input="another long phrase\n")
    assert Browser(site, "192.0.2.1").sign_in("admin", PHRASE).status == 401
    assert Browser(site, "192.0.2.1").sign_in("admin", "another long phrase").status == 200
    set_password(site)
    assert Browser(site, "192.0.2.1").sign_in("admin", PHRASE).status == 200
    site.cli("user", "add", "robot", "--service", "--role", "operator")
    assert "no password" in site.cli("user", "password", "robot", input=PHRASE + "\n", check=False).stderr


def test_a_cookie_counts_where_a_route_says_so_and_nowhere_else(site, browser):
    assert browser.call("GET", STATUS).body["user"]["name"] == "admin"
    for method, path in (("GET", "/api/v1/whoami"), ("GET", "/api/v1/machines"), ("POST", "/api/v1/tokens"),
                         ("POST", "/api/v1/agent/heartbeat"), ("GET", "/api/v1/audit/events")):  # fmt: skip
        problem(browser.call(method, path), 401, "UNAUTHENTICATED")


def test_a_change_needs_what_only_our_pages_know(site, browser):
    path = "/api/v1/auth/logout"
    problem(browser.call("POST", path, token=False), 403, "CSRF_REFUSED")
    problem(browser.call("POST", path, headers={"Origin": "http://127.0.0.1:1"}), 403, "CSRF_REFUSED")
    problem(browser.call("POST", path, headers={"Sec-Fetch-Site": "cross-site"}), 403, "CSRF_REFUSED")
    assert browser.signed_in()
    assert browser.call("POST", path, headers={"Origin": site.api.url}).status == 200


def test_logging_out_ends_every_session_at_the_gateway(site, browser):
    other = Browser(site, "192.0.2.11")
    assert other.sign_in("admin", PHRASE).status == 200
    cookies = dict(browser.cookies)
    answer = browser.call("POST", "/api/v1/auth/logout")
    assert answer.status == 200 and answer.body["sessions_ended"] >= 2 and not browser.cookies
    browser.cookies = cookies
    assert not browser.signed_in() and not other.signed_in()


def test_one_session_can_be_ended_by_itself(site, browser):
    other = Browser(site, "192.0.2.12")
    other.sign_in("admin", PHRASE)
    rows = browser.call("GET", "/api/v1/auth/sessions").body
    own = next(row for row in rows if row["current"])
    other_row = next(row for row in rows if row["source"] == "192.0.2.12")
    assert own["client"] == "Blackbox/1.0" and own["method"] == "password"
    assert site.cli("auth", "session", "end", other_row["id"]).returncode == 0
    assert not other.signed_in() and browser.signed_in()


def test_a_new_password_ends_every_session(site, browser):
    wrong = {"current_password": "wrong horse battery", "new_password": "another long phrase"}
    problem(browser.call("POST", "/api/v1/auth/password", wrong), 401, "SIGN_IN_REFUSED")
    assert browser.signed_in()
    answer = browser.call("POST", "/api/v1/auth/password", wrong | {"current_password": PHRASE})
    assert answer.status == 204
    assert not browser.signed_in()
    set_password(site)


def test_a_session_outlives_a_crash_and_a_stolen_store_has_no_cookie(site, browser):
    site.kill()
    raw = b"".join(path.read_bytes() for path in site.state.glob("tidegate.db*"))
    for value in (*browser.cookies.values(), PHRASE, browser.token):
        assert value.encode() not in raw
    site.start()
    assert browser.signed_in()
    answer = browser.call("POST", "/api/v1/auth/logout", {"everywhere": False})
    assert answer.status == 200 and answer.body["sessions_ended"] == 1


def test_refusals_are_the_same_in_words_and_time(site, figures):
    def attempt(name, number):
        begun = time.perf_counter()
        answer = Browser(site, f"198.51.100.{number}").call(
            "POST", "/api/v1/auth/password-login", {"username": name, "password": "wrong horse battery"},
            headers={"X-Request-ID": "same"})  # fmt: skip
        return answer, time.perf_counter() - begun

    answers, times = set(), collections.defaultdict(list)
    for number in range(24):
        for name in ("admin", "nobody"):
            answer, elapsed = attempt(name, number)
            problem(answer, 401, "SIGN_IN_REFUSED")
            answers.add(answer.raw)
            times[name].append(elapsed)
    assert len(answers) == 1
    known, unknown = statistics.median(times["admin"]), statistics.median(times["nobody"])
    figures.note("sign-in refused, known and unknown name", f"{known * 1000:.0f} and {unknown * 1000:.0f} ms")
    assert abs(known - unknown) < 0.3 * max(known, unknown)


def test_a_crowd_that_guesses_locks_nobody_out(site, figures):
    """5,000 wrong passwords from 100 sources, while the account's owner signs in again and again, from where they did before."""
    pid = gateway_pid(site)
    assert Browser(site, "203.0.113.200").sign_in("admin", PHRASE).status == 200
    for number in range(8):
        assert Browser(site, f"203.0.113.{number}").sign_in("admin", PHRASE).status == 200
    before = resident(pid)
    statuses, peak, ended = collections.Counter(), [before], []

    def guess(number):
        browser = Browser(site, f"198.18.0.{number % 100}")
        statuses[browser.sign_in("admin", f"wrong horse {number}").status] += 1

    def own():
        times = []
        while not ended:
            begun = time.perf_counter()
            answer = Browser(site, "203.0.113.200").sign_in("admin", PHRASE)
            assert answer.status == 200, answer
            times.append(time.perf_counter() - begun)
            peak.append(resident(pid))
        return times

    with concurrent.futures.ThreadPoolExecutor(40) as pool, concurrent.futures.ThreadPoolExecutor(1) as owner:
        served = owner.submit(own)
        list(pool.map(guess, range(5_000)))
        ended.append(True)
        times = served.result(60)
    assert set(statuses) == {401, 429} and sum(statuses.values()) == 5_000
    assert statuses[401] < 1_000
    # Whoever was never wrong is let in, also from a source nobody has seen.
    assert Browser(site, "203.0.113.201").sign_in("admin", PHRASE).status == 200
    wait_until(lambda: resident(pid) < before + 40_000, 20, lambda: f"{before} kB before, {resident(pid)} kB after")
    assert max(peak) < before + 5 * 33_000, (before, max(peak))
    figures.note(
        "5,000 wrong passwords from 100 sources",
        f"{statuses[401]} looked at; the owner signed in {len(times)} times meanwhile, median "
        f"{statistics.median(times) * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms; "
        f"memory {before // 1024} MiB before, {max(peak) // 1024} at most, {resident(pid) // 1024} after")  # fmt: skip
    events = site.ok("GET", "/api/v1/audit/events?action=login.attacked")
    assert events and events[0]["severity"] == "warning"


def test_a_restored_backup_brings_no_password_and_no_session_back(tmp_path):
    with Gateway(default_mode()) as gateway:
        set_password(gateway)
        browser = Browser(gateway)
        assert browser.sign_in("admin", PHRASE).status == 200
        backup = gateway.home / "backup.db"
        gateway.cli("store", "backup", backup, "--state-dir", gateway.state)
        set_password(gateway, phrase="another long phrase")
        gateway.stop()
        gateway.cli("store", "restore", backup, "--state-dir", gateway.state)
        gateway.start()
        assert not browser.signed_in()
        assert Browser(gateway).sign_in("admin", PHRASE).status == 401
        assert Browser(gateway).sign_in("admin", "another long phrase").status == 200


def test_plain_http_beyond_loopback_has_no_sessions(site):
    with Gateway(default_mode(), extra=["--panel-url", "http://gate.example"]) as gateway:
        set_password(gateway)
        problem(Browser(gateway).sign_in("admin", PHRASE), 403, "SIGN_IN_UNAVAILABLE")
        assert "nobody can sign in with a browser" in gateway.log


def test_over_tls_the_cookie_is_bound_to_the_host():
    with Gateway(default_mode(), tls=True) as gateway:
        set_password(gateway)
        browser = Browser(gateway)
        answer = browser.sign_in("admin", PHRASE)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-tidegate=") and {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {
            part.strip() for part in cookie.split(";")
        }
        assert "domain" not in cookie.lower() and browser.signed_in()


def test_nothing_of_it_is_in_the_log(site):
    """Last of this file."""
    assert PHRASE not in site.log and "wrong horse" not in site.log and "tgb_" not in site.log
