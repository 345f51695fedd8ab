"""The second factor: switched on from the command line, asked for at sign-in, and what is left when it is lost."""

import re
import time

import leaks
import pytest
from answers import problem
from browsers import Browser, site, totp
from commands import end
from people import PHRASE
from waiting import until_moment, wait_until


def next_step():
    """Codes are used up one by one: waits for the next thirty seconds to begin."""
    until_moment(time.monotonic() + 30 - time.time() % 30 + 0.05)


class Authenticator:
    """Enabled through `tidegate auth totp enable`, as a person would at a terminal."""

    def __init__(self, gateway):
        import pty
        import subprocess

        import programs

        self.password = gateway.home / "password"
        self.password.write_text(PHRASE + "\n")
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [programs.tidegate(), "auth", "totp", "enable", "--password-file", str(self.password), "--output",
             str(gateway.home / "codes")],
            stdin=terminal, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=gateway.client_environment,
        )  # fmt: skip
        try:
            said = ""
            while "Its code now" not in said:
                said += process.stderr.read(1)
            self.secret = re.search(r"^ {4}([A-Z2-7]{32})$", said, re.M).group(1)
            assert f"secret={self.secret}" in said
            leaks.note("the seed of a second factor", self.secret)
            import os

            os.write(controller, totp(self.secret).encode() + b"\n")
            assert process.wait(20) == 0, process.stderr.read()
        finally:
            end(process)
            os.close(controller)
            os.close(terminal)
            (gateway.home / "password").unlink()
        self.codes = (gateway.home / "codes").read_text().split()
        assert (gateway.home / "codes").stat().st_mode & 0o777 == 0o600
        (gateway.home / "codes").unlink()
        for code in self.codes:
            leaks.note_recovery_code(code)


@pytest.fixture(scope="module")
def authenticator(site):
    return Authenticator(site)


def test_the_password_alone_no_longer_does(site, authenticator):
    assert len(authenticator.codes) == 10
    browser = Browser(site, "192.0.2.1")
    problem(browser.sign_in("admin", PHRASE), 401, "SECOND_FACTOR_REQUIRED")
    problem(browser.sign_in("admin", "wrong horse battery", totp=totp(authenticator.secret)), 401, "SIGN_IN_REFUSED")
    next_step()
    code = totp(authenticator.secret)
    assert browser.sign_in("admin", PHRASE, totp=code).status == 200
    assert browser.call("GET", "/api/v1/auth/sessions").body[0]["second_factor_at"]
    problem(Browser(site, "192.0.2.1").sign_in("admin", PHRASE, totp=code), 401, "SECOND_FACTOR_REFUSED")
    assert "second factor     on" in site.cli("auth", "status").stdout


def test_a_recovery_code_works_once(site, authenticator):
    assert Browser(site, "192.0.2.2").sign_in("admin", PHRASE, totp=authenticator.codes[0]).status == 200
    problem(Browser(site, "192.0.2.2").sign_in("admin", PHRASE, totp=authenticator.codes[0]), 401)
    fresh = site.cli("auth", "totp", "codes", input=authenticator.codes[1] + "\n").stdout.split()
    assert len(fresh) == 10
    problem(Browser(site, "192.0.2.2").sign_in("admin", PHRASE, totp=authenticator.codes[2]), 401)
    authenticator.codes = fresh
    for code in fresh:
        leaks.note_recovery_code(code)
    assert Browser(site, "192.0.2.2").sign_in("admin", PHRASE, totp=fresh[0]).status == 200


def test_the_seed_is_in_the_store_sealed_and_the_key_is_missed(site, authenticator):
    site.stop()
    key = site.state / "master.key"
    assert key.stat().st_mode & 0o777 == 0o600
    raw = b"".join(path.read_bytes() for path in site.state.glob("tidegate.db*"))
    import base64

    assert authenticator.secret.encode() not in raw and base64.b32decode(authenticator.secret) not in raw
    kept = key.read_bytes()
    assert kept.strip() not in raw
    owner = key.stat()
    key.unlink()
    assert "master.key is gone" in site.refused()
    # Another key is an outage of that account's second factor, and no wrong code.
    import os

    key.write_text("A" * 43 + "\n")
    key.chmod(0o600)
    os.chown(key, owner.st_uid, owner.st_gid)
    site.start()
    problem(Browser(site, "192.0.2.3").sign_in("admin", PHRASE, totp="123456"), 503, "SECRETS_UNREADABLE")
    site.stop()
    key.write_bytes(kept)
    key.chmod(0o644)
    assert "chmod 600" in site.refused()
    key.chmod(0o600)
    site.start()
    assert Browser(site, "192.0.2.3").sign_in("admin", PHRASE, totp=authenticator.codes[1]).status == 200


def test_who_lost_everything_is_helped_by_the_operator(site, authenticator):
    local = {"TIDEGATE_URL": "", "TIDEGATE_TOKEN_FILE": ""}
    refused = site.cli("user", "reset-totp", "admin", check=False)
    assert refused.returncode == 1, "one's own goes with a code"
    site.cli("user", "reset-totp", "admin", "--state-dir", site.state, environment=local)
    wait_until(lambda: Browser(site, "192.0.2.4").sign_in("admin", PHRASE).status == 200, 10, "signed in")
    actions = [event["action"] for event in site.ok("GET", "/api/v1/audit/events?limit=100")]
    assert {"totp.enabled", "recovery-code.used", "recovery-codes.replaced", "totp.reset"} <= set(actions)
    assert authenticator.secret not in site.log and not [code for code in authenticator.codes if code in site.log]
