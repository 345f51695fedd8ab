"""`tidegate proxy`, as an operator types it."""

import json
import os
import pathlib
import pty
import stat

import programs
import pytest
from commands import run
from gateway import Gateway
from machine import PrivateSSHD
from sshkeys import KeyPair
from tunnels import new_name


@pytest.fixture(scope="module")
def gateway():
    with Gateway(extra=["--proxy-loopback"]) as gateway:
        yield gateway


def kept():
    """A file for a token that the gateway's folder has no part in."""
    return pathlib.Path(programs.session_folder()) / new_name("token")


def proxy(gateway, *words, check=True, **options):
    return gateway.cli("proxy", *words, check=check, **options)


def shown(gateway, *words):
    return json.loads(proxy(gateway, *words, "--json").stdout)


def test_the_gateways_own_sshd(gateway):
    name = new_name("own")
    proxy(gateway, "add", name, "--target", "10.0.0.5:8080")
    body = shown(gateway, "show", name)
    assert body["own"] and body["active"] and (body["target_host"], body["target_port"]) == ("10.0.0.5", 8080)
    assert name in proxy(gateway, "list").stdout and "this gateway" in proxy(gateway, "show", name).stdout
    assert shown(gateway, "set", name, "--target", "10.0.0.6:9090")["target_port"] == 9090
    assert "is off" in proxy(gateway, "deactivate", name).stdout
    other = new_name("own")
    proxy(gateway, "add", other, "--target", "10.0.0.7:8080", "--inactive")
    proxy(gateway, "activate", other, "--exclusive")
    assert [row["name"] for row in shown(gateway, "list") if row["active"]] == [other]
    for each in (name, other):
        proxy(gateway, "remove", each)
    done = proxy(gateway, "show", name, check=False)
    assert done.returncode != 0 and "No such proxy" in done.stderr


def test_another_host_with_its_key(gateway):
    name, token = new_name("host"), kept()
    first, second = KeyPair(gateway.home, "host"), KeyPair(gateway.home, "host")
    proxy(gateway, "add", name, "--host", "jump.example:2222", "--login", "jump", "--target", "10.0.0.5:8080",
          "--host-key", first.public, "--output", token)  # fmt: skip
    assert token.read_text().startswith("tgs_") and stat.S_IMODE(token.stat().st_mode) == 0o600
    body = shown(gateway, "host-key", name, "--host-key", second.public, "--overlap", "1h")
    assert body["host_keys"] == [second.line, first.line] and body["host_key_confirmed"]
    rotated = kept()
    proxy(gateway, "token", name, "--overlap", "0s", "--output", rotated)
    path = "/api/v1/forward-keys/lines?fingerprint=SHA256:" + "A" * 43
    assert gateway.call("GET", path, token=rotated.read_text().strip()).status == 200
    assert gateway.call("GET", path, token=token.read_text().strip()).status == 401
    proxy(gateway, "remove", name)
    assert gateway.call("GET", path, token=rotated.read_text().strip()).status == 401


def test_a_scanned_key_is_asked_about(gateway):
    sshd = PrivateSSHD(pathlib.Path(gateway.home) / new_name("scanned"))
    try:
        name = new_name("scan")
        words = ["add", name, "--host", f"127.0.0.1:{sshd.port}", "--target", "127.0.0.1:8080", "--output",
                 str(kept())]  # fmt: skip
        # Nobody to ask: nothing is added.
        done = proxy(gateway, *words, check=False)
        assert done.returncode != 0 and sshd.host_key.fingerprint in done.stderr and "--host-key" in done.stderr
        assert name not in [row["name"] for row in shown(gateway, "list")]
        ours, theirs = pty.openpty()
        os.write(ours, b"yes\n")
        try:
            proxy(gateway, *words, stdin=theirs)
        finally:
            os.close(ours)
            os.close(theirs)
        assert shown(gateway, "show", name)["host_keys"] == [sshd.host_key.line]
        proxy(gateway, "remove", name)
    finally:
        sshd.close()


@pytest.mark.parametrize(("words", "said"), [
    (["add", "Bad_Name", "--target", "10.0.0.5:80"], "1 to 55 characters"),
    (["add", "x", "--target", "10.0.0.5"], "10.0.0.5:8080"),
    (["add", "x", "--target", "169.254.169.254:80"], "target_host"),
    (["add", "x", "--target", "localhost:80"], "target_host"),
    (["add", "x", "--target", "10.0.0.5:80", "--login", "jump"], "--host"),
    (["set", "x"], "--target"), (["activate", "nowhere"], "No such proxy"),
    (["add", "x", "--host", "-oProxyCommand=id", "--target", "10.0.0.5:80"], "host"),
])  # fmt: skip
def test_what_is_wrong_is_said(gateway, words, said):
    before = shown(gateway, "list")
    done = proxy(gateway, *words, check=False)
    assert done.returncode != 0 and said in done.stderr, done.stderr
    assert shown(gateway, "list") == before


def test_help_and_the_old_way(gateway):
    text = run([programs.tidegate(), "proxy", "--help"], check=True).stdout
    assert all(word in text for word in ("add", "host-key", "activate", "connect"))
    done = proxy(gateway, "--", "nobody-here", check=False)
    assert done.returncode != 0 and "No such machine" in done.stderr, done.stderr
