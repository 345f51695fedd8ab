"""Forward keys and proxies, by Argus' own API and by ours: the unmodified client, stock ssh, and curl as an sshd's helper."""

import base64
import pathlib
import re
import subprocess
import time
import urllib.parse
import uuid

import programs
import pytest
from argus import ArgusTunnel, PrivateService, forward_command
from commands import end, run
from gateway import Gateway
from machine import PrivateSSHD
from networks import free_ports, listening
from people import Person
from sshkeys import KeyPair, client_options, known_hosts_line
from tunnels import new_name
from waiting import wait_until

TUNNEL, KEYS, ADMIN = "/api/v1/client/ssh/tunnel", "/api/v1/client/ssh/keys", "/admin/api/v1"


@pytest.fixture(scope="module")
def service():
    service = PrivateService()
    yield service
    service.close()


@pytest.fixture(scope="module")
def gateway(service):
    with Gateway(extra=["--proxy-loopback"]) as gateway:
        gateway.ok("POST", "/api/v1/proxies", {"name": "own", "target_host": "127.0.0.1", "target_port": service.port})
        yield gateway


@pytest.fixture
def other_host(gateway, service):
    """Another host's proxy that looks keys up with a token of its own."""
    key = KeyPair(gateway.home, "host")
    added = gateway.ok("POST", "/api/v1/proxies", {
        "name": new_name("host"), "host": "127.0.0.1", "port": free_ports(), "login": programs.ordinary_user().pw_name,
        "host_key": key.line, "target_host": "127.0.0.1", "target_port": service.port})  # fmt: skip
    yield added | {"key_file": key}
    gateway.call("DELETE", f"/api/v1/proxies/{added['id']}")


def argus(gateway, method, path, body=None, token="", **options):
    """One request as Argus' clients send it."""
    headers = {"Content-Type": "application/json"}
    if token != None:  # noqa: E711
        headers["Authorization"] = f"token {token or gateway.token}"
    return gateway.api.call(method, path, body, headers=headers, **options)


def good(answer):
    assert answer.status == 200 and answer.body["status"] == "ok", answer
    assert answer.headers["content-type"] == "application/json"
    return answer.body["response"]


def fault(answer):
    assert answer.status == 200 and answer.body["status"] == "error", answer
    response = answer.body["response"]
    assert set(response) == {"trace_id", "exception", "message", "arguments"}
    return response["message"]


def register(gateway, key, **more):
    return good(argus(gateway, "POST", TUNNEL, {"public_key": f"{key.line} argus-proxy"} | more))


def lookup(gateway, fingerprint, token, **more):
    query = urllib.parse.urlencode({"fingerprint": fingerprint} | more)
    return argus(gateway, "GET", f"{KEYS}?{query}", token=token)


class Forward:
    """`ssh -N -L` with a registered key, through the gateway's own sshd."""

    def __init__(self, gateway, key, target, deadline=15):
        self.port = free_ports()
        self.process = subprocess.Popen(
            forward_command(gateway, key.private, self.port, target), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
        wait_until(lambda: listening(self.port) or self.ended, deadline, "the local port")

    @property
    def ended(self):
        return self.process.poll() is not None

    def get(self, path="/"):
        return run(["curl", "-fsS", "--noproxy", "*", "--max-time", "5", f"http://127.0.0.1:{self.port}{path}"])

    def close(self):
        end(self.process, 5)
        self.process.stderr.close()


# --- register ---


def test_register_tunnel_happy_path(gateway):
    key = KeyPair(gateway.home)
    before = time.time()
    answer = register(gateway, key)
    assert set(answer) == {"key_id", "tunnel_id", "proxy_host", "proxy_port", "proxy_user", "target_host", "target_port",
                           "host_key_fingerprint", "expires_at", "proxies"}  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["expires_at"])
    expiry = time.mktime(time.strptime(answer["expires_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert abs(expiry - before - 86_400) < 10
    assert (answer["proxy_host"], answer["proxy_port"]) == ("127.0.0.1", gateway.ssh_port)
    assert answer["proxy_user"] == gateway.ssh_user
    host, kind, blob = answer["host_key_fingerprint"].split()
    assert (host, kind) == ("127.0.0.1", "ssh-ed25519") and base64.b64decode(blob, validate=True)
    assert answer["proxies"][0]["tunnel_id"] == answer["tunnel_id"]


def test_register_tunnel_again_keeps_its_end(gateway):
    key = KeyPair(gateway.home)
    first = register(gateway, key, ttl_seconds=7200)
    assert register(gateway, key, ttl_seconds=86_400) == first


@pytest.mark.parametrize(("ttl", "fits"), [
    (3600, True), (2_592_000, True), ("7200", True), (3599, False), (2_592_001, False), (0, False), (-1, False),
    (1.5, False), ("soon", False), ([], False), (10**30, False),
])  # fmt: skip
def test_register_tunnel_custom_ttl(gateway, ttl, fits):
    answer = argus(gateway, "POST", TUNNEL, {"public_key": KeyPair(gateway.home).line, "ttl_seconds": ttl})
    if fits:
        good(answer)
    else:
        assert fault(answer) == "ttl_seconds must be between 3600 and 2592000 seconds"


@pytest.mark.parametrize("text", [
    "not a key", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQ==",
    'command="id" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTEx',
])  # fmt: skip
def test_register_tunnel_invalid_public_key(gateway, text):
    assert fault(argus(gateway, "POST", TUNNEL, {"public_key": text})).startswith("Invalid SSH public key")


def test_register_tunnel_refuses_what_follows_the_key(gateway):
    line = KeyPair(gateway.home).line
    for more in (f"\n{KeyPair(gateway.home).line}", "\r\nanything", "\0"):
        assert "Invalid SSH public key" in fault(argus(gateway, "POST", TUNNEL, {"public_key": line + more}))
    # A comment is a comment, and isn't kept.
    key = KeyPair(gateway.home)
    register(gateway, key)
    (row,) = [row for row in good(argus(gateway, "GET", f"{TUNNEL}/keys")) if row["fingerprint"] == key.fingerprint]
    assert row["public_key"] == key.line


@pytest.mark.parametrize("body", [{}, {"public_key": ""}, {"public_key": None}])
def test_register_tunnel_missing_public_key(gateway, body):
    assert fault(argus(gateway, "POST", TUNNEL, body)) == "public_key is required"


def test_register_tunnel_no_active_config(service):
    with Gateway(extra=["--proxy-loopback"]) as empty:
        key = KeyPair(empty.home)
        for _ in range(2):
            message = fault(argus(empty, "POST", TUNNEL, {"public_key": key.line}))
            assert message.startswith("No active proxy tunnel configuration found.")
        assert fault(argus(empty, "GET", TUNNEL)).startswith("No active proxy tunnel configuration found.")
        assert good(argus(empty, "GET", f"{ADMIN}/proxy-tunnel/config")) is None
        assert good(argus(empty, "GET", f"{TUNNEL}/keys")) == []


def test_register_tunnel_explicit_tunnel(gateway, other_host):
    key = KeyPair(gateway.home)
    answer = register(gateway, key, tunnel_id=other_host["id"])
    assert answer["tunnel_id"] == other_host["id"] and len(answer["proxies"]) == 1
    assert lookup(gateway, key.fingerprint, other_host["token"]).raw
    # Good there alone: our own sshd refuses it.
    done = run([*gateway.ssh_arguments(key.private), "-N", gateway.address])
    assert "Permission denied" in done.stderr


@pytest.mark.parametrize("tunnel", ["x", "1234", "-oProxyCommand=id"])
def test_register_tunnel_malformed_tunnel(gateway, tunnel):
    assert fault(argus(gateway, "POST", TUNNEL, {"public_key": KeyPair(gateway.home).line, "tunnel_id": tunnel}))


def test_register_tunnel_unknown_tunnel(gateway):
    body = {"public_key": KeyPair(gateway.home).line, "tunnel_id": str(uuid.uuid4())}
    assert "no proxy tunnel" in fault(argus(gateway, "POST", TUNNEL, body))


def test_unauthenticated(gateway):
    for method, path in [("POST", TUNNEL), ("GET", TUNNEL), ("GET", f"{TUNNEL}/keys"), ("GET", f"{ADMIN}/ssh/keys")]:
        answer = argus(gateway, method, path, {} if method == "POST" else None, token=None)
        assert (answer.status, answer.body) == (403, {"status": "error", "message": "Authorization required"})
    answer = argus(gateway, "GET", f"{ADMIN}/proxy-tunnel/configs", token=Person(gateway).token)
    assert (answer.status, answer.body) == (403, {"status": "error", "message": "Forbidden"})
    assert argus(gateway, "GET", TUNNEL, token="tgp_" + "A" * 43).status == 401


# --- keys ---


def test_keys_are_confined_lines(gateway, other_host, service):
    key = KeyPair(gateway.home)
    register(gateway, key)
    answer = lookup(gateway, key.fingerprint, other_host["token"])
    assert answer.status == 200 and answer.headers["content-type"] == "text/plain"
    assert re.fullmatch(
        rf'restrict,port-forwarding,permitopen="127\.0\.0\.1:{service.port}",permitlisten="127\.0\.0\.1:1",'
        rf'command="/usr/sbin/nologin",expiry-time="\d{{14}}Z" {re.escape(key.line)}', answer.raw.decode())  # fmt: skip
    native = gateway.call("GET", f"/api/v1/forward-keys/lines?{urllib.parse.urlencode({'fingerprint': key.fingerprint})}",
                          token=other_host["token"])  # fmt: skip
    assert native.raw == answer.raw + b"\n"
    old = gateway.call("GET", "/api/v1/forward-keys/lines?openssh=8.9&" + urllib.parse.urlencode({"fingerprint": key.fingerprint}),
                       token=other_host["token"])  # fmt: skip
    assert b"expiry-time" not in old.raw and key.line.encode() in old.raw


def test_keys_scoping(gateway, other_host):
    second = gateway.ok("POST", "/api/v1/proxies", {
        "name": new_name("host"), "host": "jump.example", "host_key": other_host["key_file"].line,
        "target_host": "10.0.0.9", "target_port": 80})  # fmt: skip
    key = KeyPair(gateway.home)
    register(gateway, key, tunnel_id=second["id"])
    assert lookup(gateway, key.fingerprint, other_host["token"]).raw == b""
    assert lookup(gateway, key.fingerprint, second["token"]).raw
    # Naming another proxy widens nothing.
    assert lookup(gateway, key.fingerprint, other_host["token"], tunnel_id=second["id"]).raw == b""
    gateway.ok("POST", f"/api/v1/proxies/{second['name']}/deactivate")
    assert lookup(gateway, key.fingerprint, second["token"]).raw == b""
    assert gateway.call("DELETE", f"/api/v1/proxies/{second['id']}").status == 204
    assert gateway.call("DELETE", f"/api/v1/proxies/{second['id']}").status == 204
    assert lookup(gateway, key.fingerprint, second["token"]).status == 401


@pytest.mark.parametrize("fingerprint", ["x", "SHA256:", "MD5:00", "SHA256:" + "A" * 42, "SHA256:" + "A" * 44, "SHA256:é"])
def test_keys_malformed(gateway, other_host, fingerprint):
    answer = lookup(gateway, fingerprint, other_host["token"])
    assert (answer.status, answer.raw) == (400, b"")
    answer = lookup(gateway, "SHA256:" + "A" * 43, other_host["token"], tunnel_id="x")
    assert (answer.status, answer.raw) == (400, b"")


def test_keys_unauthenticated(gateway):
    for token in (None, Person(gateway).token):
        answer = lookup(gateway, "SHA256:" + "A" * 43, token)
        assert (answer.status, answer.raw) == (403, b"")


def test_keys_empty(gateway, other_host):
    answer = lookup(gateway, "SHA256:" + "A" * 43, other_host["token"])
    assert (answer.status, answer.raw) == (200, b"")


def test_every_key_of_a_proxy_is_listed_and_written_down(gateway, other_host):
    keys = [KeyPair(gateway.home) for _ in range(3)]
    for key in keys:
        register(gateway, key)
    listed = argus(gateway, "GET", KEYS, token=other_host["token"]).raw.decode().splitlines()
    assert {key.line for key in keys} <= {line.split('" ')[-1] for line in listed}
    assert all("permitopen=" in line and "permitlisten=" in line for line in listed)
    events = gateway.ok("GET", "/api/v1/audit/events?severity=warning&limit=100")
    assert any(event["action"] == "tunnel-keys.listed" for event in events)


# --- administration ---


@pytest.mark.parametrize("missing", ["host", "port", "proxy_user", "target_host", "target_port"])
def test_save_config_missing_fields(gateway, missing):
    body = {"host": "jump.example", "port": 22, "proxy_user": "argus-proxy", "target_host": "10.0.0.7", "target_port": 80}
    del body[missing]
    assert fault(argus(gateway, "POST", f"{ADMIN}/proxy-tunnel/config", body)) == f"Missing required fields: {missing}"


@pytest.mark.parametrize("change", [
    {"host": "-oProxyCommand=id"}, {"host": "a b"}, {"host": "a\nb"}, {"host": ""}, {"port": 0}, {"port": 65_536},
    {"proxy_user": "-l"}, {"proxy_user": "a b"}, {"target_host": "169.254.169.254"}, {"target_host": "localhost"},
    {"target_port": "x"}, {"host": "x" * 300},
])  # fmt: skip
def test_save_config_bad_fields(gateway, change):
    before = good(argus(gateway, "GET", f"{ADMIN}/proxy-tunnel/configs"))
    body = {"host": "jump.example", "port": 22, "proxy_user": "argus-proxy", "target_host": "10.0.0.7", "target_port": 80}
    fault(argus(gateway, "POST", f"{ADMIN}/proxy-tunnel/config", body | change))
    assert good(argus(gateway, "GET", f"{ADMIN}/proxy-tunnel/configs")) == before


def test_save_config_scans_makes_a_service_user_and_deletes(gateway, service):
    sshd = PrivateSSHD(pathlib.Path(gateway.home) / new_name("scanned"))
    try:
        body = {"host": "127.0.0.1", "port": sshd.port, "proxy_user": "argus-proxy", "target_host": "127.0.0.1",
                "target_port": service.port}  # fmt: skip
        added = good(argus(gateway, "POST", f"{ADMIN}/proxy-tunnel/config", body))
        assert added["api_token"].startswith("tgs_") and added["is_active"] and not added["host_key_confirmed"]
        assert added["host_key_fingerprint"] == f"127.0.0.1 {sshd.host_key.line}"
        assert good(argus(gateway, "GET", f"{ADMIN}/proxy-tunnel/config?tunnel_id={added['id']}")) == {
            name: value for name, value in added.items() if name != "api_token"
        }
        assert lookup(gateway, "SHA256:" + "A" * 43, added["api_token"]).status == 200
        assert argus(gateway, "GET", TUNNEL, token=added["api_token"]).status == 403
        path = f"{ADMIN}/proxy-tunnel/config/{added['id']}"
        assert good(argus(gateway, "POST", f"{path}/active", {"is_active": False}))["is_active"] is False
        assert good(argus(gateway, "GET", f"{ADMIN}/proxy-tunnel/config?tunnel_id={added['id']}")) is None
        assert added["id"] not in [row["id"] for row in good(argus(gateway, "GET", f"{ADMIN}/proxy-tunnel/configs?active_only=true"))]
        assert added["id"] in [row["id"] for row in good(argus(gateway, "GET", f"{ADMIN}/proxy-tunnel/configs?active_only=false"))]
        fault(argus(gateway, "GET", f"{ADMIN}/proxy-tunnel/configs?active_only=maybe"))
        assert good(argus(gateway, "DELETE", path, {"delete_user": False}))["deleted"] is True
        assert lookup(gateway, "SHA256:" + "A" * 43, added["api_token"]).status == 401
    finally:
        sshd.close()


def test_delete_key(gateway):
    key = KeyPair(gateway.home)
    identity = register(gateway, key)["key_id"]
    for _ in range(2):
        assert good(argus(gateway, "DELETE", f"{ADMIN}/ssh/keys/{identity}"))["deleted"] is True
    assert good(argus(gateway, "DELETE", f"{ADMIN}/ssh/keys/{uuid.uuid4()}"))["deleted"] is True
    assert identity not in [row["key_id"] for row in good(argus(gateway, "GET", f"{ADMIN}/ssh/keys"))]


# --- through the gateway's own sshd ---


def test_the_unmodified_client_reaches_the_service(gateway, service):
    tunnel = ArgusTunnel(gateway, str(uuid.uuid4()))
    try:
        assert tunnel.opened["port"], tunnel.opened
        assert tunnel.get("/through") == 200 and tunnel.alive()
        assert ("/through", service.asked[-1][1]) == service.asked[-1]
        # A second process of the same run takes the key from its cache.
        rows = len(good(argus(gateway, "GET", f"{TUNNEL}/keys")))
        again = ArgusTunnel(gateway, pathlib.Path(tunnel.opened["key"]).parent.name.partition(".exp")[0], folder=tunnel.folder)
        try:
            assert again.opened["port"] and again.get("/again") == 200
            assert len(good(argus(gateway, "GET", f"{TUNNEL}/keys"))) == rows
        finally:
            again.close()
    finally:
        tunnel.close()


def test_revoking_the_clients_key_ends_its_tunnel(gateway, figures):
    tunnel = ArgusTunnel(gateway, str(uuid.uuid4()))
    try:
        assert tunnel.get("/before") == 200
        begun = time.monotonic()
        good(argus(gateway, "DELETE", f"{ADMIN}/ssh/keys/{tunnel.opened['key_id']}"))
        wait_until(lambda: not tunnel.alive(), 5, "the tunnel gone")
        figures.note("revoke to the client's tunnel gone", f"{(time.monotonic() - begun) * 1000:.0f} ms")
        assert tunnel.get("/after") != 200
    finally:
        tunnel.close()


def test_a_wrong_host_key_is_refused_by_the_client(gateway, service):
    wrong = gateway.ok("POST", "/api/v1/proxies", {
        "name": new_name("wrong"), "host": "127.0.0.1", "port": gateway.ssh_port, "login": gateway.ssh_user,
        "host_key": KeyPair(gateway.home).line, "target_host": "127.0.0.1", "target_port": service.port})  # fmt: skip
    try:
        gateway.ok("POST", "/api/v1/proxies/own/deactivate")
        tunnel = ArgusTunnel(gateway, str(uuid.uuid4()))
        try:
            assert tunnel.opened["proxy"] and not tunnel.opened["port"], tunnel.opened
        finally:
            tunnel.close()
    finally:
        gateway.ok("POST", "/api/v1/proxies/own/activate")
        gateway.call("DELETE", f"/api/v1/proxies/{wrong['id']}")


def test_stock_ssh_reaches_the_target_and_nothing_else(gateway, service):
    key = KeyPair(gateway.home)
    made = gateway.ok("POST", "/api/v1/forward-keys", {"public_key": key.line, "proxy": "own"})
    assert made["proxies"][0]["own"] is True
    forward = Forward(gateway, key, f"127.0.0.1:{service.port}")
    elsewhere = Forward(gateway, key, f"127.0.0.1:{gateway.port}")
    try:
        assert '"path": "/x"' in forward.get("/x").stdout
        assert elsewhere.get("/healthz").returncode != 0
        bound = free_ports()
        done = run([*gateway.ssh_arguments(key.private), "-N", "-o", "ExitOnForwardFailure=yes", "-R",
                    f"127.0.0.1:{bound}:127.0.0.1:9", gateway.address])  # fmt: skip
        assert done.returncode != 0 and not listening(bound)
        assert run([*gateway.ssh_arguments(key.private), gateway.address, "id"]).stdout == ""
    finally:
        forward.close()
        elsewhere.close()


@pytest.mark.parametrize("way", ["revoked", "switched off", "moved", "owner disabled"])
def test_what_takes_the_way_away_cuts_it(gateway, service, figures, way):
    person = Person(gateway)
    name, token = person.name, person.token
    proxy = gateway.ok("POST", "/api/v1/proxies", {"name": new_name("cut"), "target_host": "127.0.0.1",
                                                  "target_port": free_ports()})  # fmt: skip
    key = KeyPair(gateway.home)
    made = gateway.ok("POST", "/api/v1/forward-keys", {"public_key": key.line, "proxy": proxy["name"]}, token=token)
    bystander = KeyPair(gateway.home)
    gateway.ok("POST", "/api/v1/forward-keys", {"public_key": bystander.line, "proxy": "own"})
    forward = Forward(gateway, key, f"127.0.0.1:{proxy['target_port']}")
    other = Forward(gateway, bystander, f"127.0.0.1:{service.port}")
    path = f"/api/v1/proxies/{proxy['id']}"
    try:
        assert not forward.ended
        begun = time.monotonic()
        if way == "revoked":
            assert gateway.call("DELETE", f"/api/v1/tunnel-keys/{made['id']}", token=token).status == 204
        elif way == "switched off":
            gateway.ok("POST", f"{path}/deactivate")
        elif way == "moved":
            gateway.ok("PATCH", path, {"target_port": free_ports()})
        else:
            gateway.ok("PATCH", f"/api/v1/users/{name}", {"disabled": True})
        wait_until(lambda: forward.ended, 5, "the tunnel cut")
        figures.note(f"forward key to cut: {way}", f"{(time.monotonic() - begun) * 1000:.0f} ms")
        assert not other.ended and other.get("/still").returncode == 0
        if way != "moved":
            assert "Permission denied" in run([*gateway.ssh_arguments(key.private), "-N", gateway.address]).stderr
    finally:
        forward.close()
        other.close()
        gateway.call("DELETE", path)


# --- another host's sshd ---


@pytest.mark.skipif(not programs.is_root(), reason="an sshd that asks as another user needs root")
def test_curl_is_helper_enough_for_another_hosts_sshd(gateway, other_host, service):
    """As Argus' proxy hosts are set up: sshd asks with curl, with the proxy's own token in a header file."""
    folder = pathlib.Path(programs.session_folder()) / new_name("proxy-host")
    folder.mkdir(mode=0o755)
    header = folder / "header"
    header.write_text(f"Authorization: token {other_host['token']}\n")
    header.chmod(0o644)
    config, private = folder / "sshd_config", other_host["key_file"].private
    config.write_text("\n".join([
        f"Port {other_host['port']}", "ListenAddress 127.0.0.1", f"HostKey {private}", "PidFile none", "UsePAM no",
        "PasswordAuthentication no", "KbdInteractiveAuthentication no", "AuthorizedKeysFile none", "StrictModes no",
        f"AuthorizedKeysCommand /usr/bin/curl -fsS --noproxy * --max-time 5 -G -H @{header} --data-urlencode fingerprint=%f "
        f"{gateway.api.url}{KEYS}", "AuthorizedKeysCommandUser nobody", "AllowTcpForwarding local",
        f"PermitOpen 127.0.0.1:{service.port}", "AllowStreamLocalForwarding no", "PermitTunnel no", ""]))  # fmt: skip
    log = open(folder / "log", "wb")
    sshd = subprocess.Popen([programs.sshd(), "-D", "-e", "-f", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: listening(other_host["port"]), 10, lambda: (folder / "log").read_text())
        key, stranger = KeyPair(gateway.home), KeyPair(gateway.home)
        made = register(gateway, key, tunnel_id=other_host["id"])
        known = folder / "known_hosts"
        known.write_text(known_hosts_line("127.0.0.1", other_host["port"], other_host["key_file"].line) + "\n")

        def command(of, local):
            return ["ssh", *client_options(of.private, known), "-p", str(other_host["port"]), "-N", "-o",
                    "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{local}:127.0.0.1:{service.port}",
                    f"{other_host['login']}@127.0.0.1"]  # fmt: skip

        local = free_ports()
        forward = subprocess.Popen(command(key, local), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: listening(local) or forward.poll() is not None, 15, "the tunnel")
            assert forward.poll() is None, forward.stderr.read() + (folder / "log").read_text()
            assert run(["curl", "-fsS", "--noproxy", "*", f"http://127.0.0.1:{local}/remote"]).returncode == 0
        finally:
            end(forward, 5)
            forward.stderr.close()
        assert "Permission denied" in run(command(stranger, free_ports())).stderr
        good(argus(gateway, "DELETE", f"{ADMIN}/ssh/keys/{made['key_id']}"))
        assert "Permission denied" in run(command(key, free_ports())).stderr
    finally:
        end(sshd, 5)
        log.close()
