"""Starting a gateway: settings, the first administrator, what is refused and which folder is at fault."""

import os
import pathlib
import shutil
import stat
from datetime import UTC

import programs
import pytest
from commands import end, log_text, run
from gateway import Gateway
from networks import free_ports
from tunnels import Tunnel
from waiting import wait_until


@pytest.fixture
def unstarted():
    with Gateway(start=False) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--listen", "nonsense"), ("--listen", "127.0.0.1:99999"),
        ("--ssh-listen", "127.0.0.1"),
        ("--lease-ports", "9-1"), ("--lease-ports", "a-b"), ("--lease-ports", "1-70000"),
        ("--lease-ttl", "soon"), ("--lease-ttl", "0d"),
        ("--lease-bind", "example.org"), ("--ssh", "sometimes"), ("--public-url", "ftp://a"), ("--ssh-public", ":"),
        ("--ssh-user", "Root User"), ("--store", "mysql://a"), ("--tls-certificate", "/nonexistent.pem"),
        ("--keys-command", "/nonexistent/tidegate-keys"), ("--keys-command", "relative/path"),
    ],
)  # fmt: skip
def test_a_malformed_flag_is_named(unstarted, flag, value):
    log = unstarted.refused(flag, value)
    assert flag in log or flag.strip("-") in log or flag.strip("-").replace("-", "_").upper() in log, log
    assert not unstarted.database.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("TIDEGATE_LEASE_TTL", "soon"), ("TIDEGATE_SSH", "sometimes"), ("TIDEGATE_PUBLIC_URL", "nonsense"),
     ("TIDEGATE_LEASE_BIND", "a b")],
)  # fmt: skip
def test_a_malformed_variable_is_named(unstarted, name, value):
    unstarted.environment[name] = value
    log = unstarted.refused()
    assert name in log or name.removeprefix("TIDEGATE_").lower().replace("_", "-") in log, log


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour: red\n", "colour"),
        ("lease-ttl: soon\n", "lease-ttl"),
        ("lease_ttl: soon\n", "lease_ttl"),
        ("lease-ttl: [1]\n", "lease-ttl"),
        ("- a\n- b\n", "config.yaml"),
        ("a: b: c\n", "config.yaml"),
        ("lease-ttl: 1d\nlease-ttl: 2d\n", "config.yaml"),
    ],
)
def test_a_malformed_file_names_its_key(unstarted, text, named):
    path = unstarted.folder / "config.yaml"
    path.write_text(text)
    path.chmod(0o644)
    log = unstarted.refused("--config", path)
    assert named in log or named.replace("-", "_") in log, log


def test_a_missing_configuration_file_is_named(unstarted):
    assert "/nonexistent.yaml" in unstarted.refused("--config", "/nonexistent.yaml")


def test_flags_win_over_environment_over_file(unstarted):
    path = unstarted.folder / "config.yaml"
    path.write_text("lease-ttl: 3d\n")
    path.chmod(0o644)
    unstarted.extra += ["--config", str(path)]

    def lease_days():
        tunnel = Tunnel(unstarted)
        from datetime import datetime

        until = datetime.fromisoformat(tunnel.registered["lease_expires_at"].replace("Z", "+00:00"))
        return round((until - datetime.now(UTC)).total_seconds() / 86400)

    unstarted.start()
    assert lease_days() == 3
    unstarted.stop()
    unstarted.environment["TIDEGATE_LEASE_TTL"] = "2d"
    unstarted.start()
    assert lease_days() == 2
    unstarted.stop()
    unstarted.extra += ["--lease-ttl", "1d"]
    unstarted.start()
    assert lease_days() == 1


# --- the first administrator ---


def without_bootstrap(gateway):
    """Without --bootstrap-token-file, as a person starts it the first time."""
    full = type(gateway).arguments.fget(gateway)
    position = full.index("--bootstrap-token-file")
    words = full[:position] + full[position + 2 :]

    class Bare(type(gateway)):
        arguments = property(lambda self: words + self.extra)

    gateway.__class__ = Bare
    return gateway


def test_the_set_up_secret_is_in_a_closed_file_and_good_once(unstarted):
    gateway = without_bootstrap(unstarted).start()
    paths = [word.strip(".,:'\"") for line in gateway.log.splitlines() if "set" in line.lower() for word in line.split()
             if str(gateway.state) in word]  # fmt: skip
    paths = [word[word.index("/") :].rstrip('"}') for word in paths]
    files = [pathlib.Path(path) for path in paths if pathlib.Path(path).is_file()]
    assert files, gateway.log
    secret = files[0].read_text().strip()
    assert secret.startswith("tgi_") and secret not in gateway.log
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    wrong = gateway.api.call("POST", "/api/v1/setup", {"secret": "tgi_" + "A" * 43})
    assert (wrong.status, wrong.code) == (401, "SETUP_REFUSED")
    made = gateway.api.call("POST", "/api/v1/setup", {"secret": secret})
    assert made.status == 201 and made.body["token"].startswith("tgp_"), made
    assert gateway.api.call("GET", "/api/v1/machines", token=made.body["token"]).status == 200
    again = gateway.api.call("POST", "/api/v1/setup", {"secret": secret})
    assert (again.status, again.code) == (401, "SETUP_REFUSED")
    assert not files[0].exists() or files[0].read_text().strip() != secret
    gateway.stop()
    gateway.start()
    assert gateway.api.call("POST", "/api/v1/setup", {"secret": secret}).status == 401


def test_the_setup_command(unstarted, tmp_path):
    gateway = without_bootstrap(unstarted).start()
    (path,) = [path for path in gateway.state.rglob("*") if path.is_file() and b"tgi_" in path.read_bytes()[:200]]
    environment = {"TIDEGATE_HOME": str(tmp_path / "home"), "TIDEGATE_TOKEN_FILE": "", "TIDEGATE_URL": ""}
    gateway.token_file.write_text("unused")
    done = gateway.cli("setup", gateway.api.url, "--secret-file", path, environment=environment)
    assert "tgp_" not in done.stdout + done.stderr
    assert gateway.cli("whoami", "--json", environment=environment).returncode == 0


def test_the_bootstrap_token_is_written_once(fresh_gateway):
    gateway = fresh_gateway
    assert stat.S_IMODE(gateway.token_file.stat().st_mode) == 0o600
    token = gateway.token
    assert token.startswith("tgp_") and token not in gateway.log
    gateway.stop()
    gateway.start()
    assert gateway.token == token and gateway.call("GET", "/api/v1/whoami").status == 200
    gateway.stop()
    gateway.token_file.unlink()
    gateway.launch()
    wait_until(gateway.ready, 20, "ready")
    assert not gateway.token_file.exists()


def test_the_bootstrap_file_is_not_written_through_a_link(unstarted):
    victim = unstarted.folder / "victim"
    victim.write_text("precious")
    if unstarted.account:
        os.chown(victim, unstarted.account.pw_uid, unstarted.account.pw_gid)
    unstarted.token_file.symlink_to(victim)
    unstarted.launch()
    wait_until(lambda: unstarted.process.poll() is not None or unstarted.ready(), 15, "started or refused")
    assert victim.read_text() == "precious"


# --- what a start refuses ---


def test_a_newer_schema_is_refused(fresh_gateway):
    gateway = fresh_gateway
    gateway.stop()
    gateway.edit_database("INSERT INTO schema_migration VALUES (9999, 'from-the-future', 'x', 0)")
    log = gateway.refused()
    assert "newer" in log.lower(), log


def test_a_changed_migration_is_refused(fresh_gateway):
    gateway = fresh_gateway
    gateway.stop()
    gateway.edit_database("UPDATE schema_migration SET checksum = 'x' WHERE number = 1")
    assert "migration" in gateway.refused().lower()


def test_a_damaged_database_is_refused(fresh_gateway):
    gateway = fresh_gateway
    gateway.stop()
    for path in gateway.state.glob("tidegate.db*"):
        path.write_bytes(b"not a database" * 1000)
    gateway.refused()


def test_a_second_gateway_on_the_same_state_is_refused(fresh_gateway):
    gateway = fresh_gateway
    first = gateway.process
    words = [word.replace(str(gateway.port), str(free_ports())).replace(str(gateway.ssh_port), str(free_ports()))
             for word in gateway.arguments]  # fmt: skip
    done = run(
        [*programs.as_user(gateway.account), programs.tidegate(), "serve", *words], 15, env=gateway.clean_environment()
    )
    assert done.returncode != 0
    assert str(gateway.state) in done.stdout + done.stderr
    assert first.poll() is None and gateway.call("GET", "/readyz").status == 200
    Tunnel(gateway).open().close()


def test_a_taken_port_is_said_so(fresh_gateway):
    with Gateway(start=False) as other:
        other.port = fresh_gateway.port
        assert str(fresh_gateway.port) in other.refused()


def test_two_gateways_on_one_host(fresh_gateway):
    """The second finds /run/tidegate taken and keeps its socket with its state."""
    with Gateway(fresh_gateway.mode) as second:
        for gateway in (fresh_gateway, second):
            tunnel = Tunnel(gateway).open()
            tunnel.close()
        crossed = Tunnel(fresh_gateway)
        command = [
            word if word != str(fresh_gateway.ssh_port) else str(second.ssh_port) for word in crossed.ssh_command()
        ]
        known = second.known_hosts()
        command = [
            f"UserKnownHostsFile={known}" if word.startswith("UserKnownHostsFile=") else word for word in command
        ]
        done = run(command)
        assert "Permission denied" in done.stderr, done.stderr


def test_health_and_metrics(fresh_gateway):
    for path in ("/healthz", "/readyz"):
        assert fresh_gateway.call("GET", path, token=None).status == 200
    metrics = fresh_gateway.call("GET", "/metrics", token=None)
    assert metrics.headers["content-type"].startswith("text/plain")


def test_the_request_log_has_patterns_only(fresh_gateway):
    gateway = fresh_gateway
    gateway.call("GET", "/api/v1/machines/somebody-private?name=x")
    wait_until(lambda: "/api/v1/machines/" in log_text(gateway.log_path), 5, "a log line")
    assert "somebody-private" not in gateway.log


def test_tls_reloads_on_hup():
    import hashlib
    import signal
    import ssl

    with Gateway(tls=True) as gateway:

        def fingerprint():
            text = ssl.get_server_certificate((gateway.address, gateway.port))
            return hashlib.sha256(text.encode()).hexdigest()

        first = fingerprint()
        extra, gateway.extra = gateway.extra, []
        shutil.rmtree(gateway.folder / "tls")
        gateway._make_certificates()
        gateway.extra = extra
        gateway.api.certificates = gateway.certificates
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: fingerprint() != first, 10, "the new certificate")
        assert gateway.call("GET", "/api/v1/whoami").status == 200


def test_a_foreign_address_counts_only_from_a_trusted_proxy(fresh_gateway):
    answer = fresh_gateway.api.call("GET", "/api/v1/machines", token="tgp_" + "B" * 43,
                                    headers={"X-Forwarded-For": "203.0.113.77"})  # fmt: skip
    assert answer.status == 401
    assert "203.0.113.77" not in str(fresh_gateway.ok("GET", "/api/v1/audit/events"))


def test_plain_http_beyond_loopback_is_refused_or_warned_of(unstarted):
    unstarted.address = "0.0.0.0"
    unstarted.launch()
    try:
        wait_until(
            lambda: unstarted.process.poll() is not None or "http" in unstarted.log.lower(), 15, "a word about it"
        )
    finally:
        end(unstarted.process)
    assert "tls" in unstarted.log.lower() or "https" in unstarted.log.lower(), unstarted.log


def test_systemd_is_told(unstarted):
    import socket

    path = unstarted.folder / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        path.chmod(0o777)
        notify.settimeout(20)
        unstarted.environment |= {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "2000000"}
        unstarted.extra.append("-d")
        unstarted.start()
        heard = b""
        while b"READY=1" not in heard:
            heard += notify.recv(4096) + b"\n"
        while b"WATCHDOG=1" not in heard:
            heard += notify.recv(4096) + b"\n"
        unstarted.stop()
        while b"STOPPING=1" not in heard:
            heard += notify.recv(4096) + b"\n"
