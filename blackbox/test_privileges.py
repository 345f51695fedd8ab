"""A gateway that root starts gives root up before it opens a socket; a small process keeps it to start sshd."""

import os
import pathlib
import pwd
import signal
import stat

import programs
import pytest
from commands import alive, descendants
from gateway import Gateway, available_modes
from machine import PrivateMachine, Visitor
from networks import listening
from waiting import wait_until

ACCOUNT = "tidegate-gateway"
BIND_SERVICE = 1 << 10


def _lacks():
    if "root" in available_modes():
        return available_modes()["root"]
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        return f"there is no user {ACCOUNT}: run 'make setup'"
    return None


pytestmark = pytest.mark.skipif(_lacks() is not None, reason=str(_lacks()))


def facts(pid):
    """The lines of /proc/PID/status by name."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}


def words(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")


def launcher(gateway):
    """The process that kept root."""
    found = [pid for pid in descendants(gateway.process.pid) if "sshd-launcher" in words(pid)]
    assert len(found) == 1, found
    return found[0]


def configuration(gateway):
    """The path of the configuration that sshd is started with."""
    line = words(launcher(gateway))
    return pathlib.Path(line[line.index("--configuration") + 1])


def warnings(gateway):
    return gateway.api.call("GET", "/readyz", token=None).body.get("warnings", [])


@pytest.fixture(scope="module")
def split():
    with Gateway("root") as gateway:
        yield gateway


def test_the_gateway_is_somebody_else_with_one_capability(split):
    status = facts(split.process.pid)
    account = pwd.getpwnam(ACCOUNT)
    assert set(status["Uid"]) == {str(account.pw_uid)} and set(status["Gid"]) == {str(account.pw_gid)}
    for name in ("CapEff", "CapPrm", "CapAmb"):
        assert int(status[name][0], 16) & ~BIND_SERVICE == 0, name
    assert status["NoNewPrivs"] == ["1"]
    assert status["Name"] == ["tidegate"]
    assert not any("root" in text for text in warnings(split)), warnings(split)
    for path in (split.state, split.database, split.state / "ssh" / "ssh_host_ed25519_key"):
        assert path.stat().st_uid == account.pw_uid, path


def test_one_process_keeps_root(split):
    kept = launcher(split)
    assert set(facts(kept)["Uid"]) == {"0"}
    assert facts(kept)["Name"] == ["tidegate"]
    others = [pid for pid in descendants(split.process.pid) if pid != kept and alive(pid)]
    assert all(facts(pid)["Name"][0].startswith("sshd") for pid in others), others


def test_what_sshd_reads_is_roots_alone(split):
    path = configuration(split)
    for entry in (path, path.parent / "ssh_host_ed25519_key", path.parent, path.parent.parent, path.parent.parent.parent):
        found = entry.lstat()
        assert found.st_uid == 0 and not stat.S_ISLNK(found.st_mode), entry
        assert stat.S_IMODE(found.st_mode) & 0o077 == 0, entry
    assert (split.state / "ssh" / "sshd_config").read_text() == path.read_text()
    assert str(split.state) not in path.read_text().replace(f"{split.state}/keys.sock", "")


def test_root_is_the_operator_without_a_token(split):
    done = split.cli("machine", "list", "--state-dir", split.state, environment={"TIDEGATE_TOKEN_FILE": ""})
    assert done.returncode == 0


def test_the_token_lands_in_a_folder_of_roots(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with Gateway("root", start=False) as gateway:
        gateway.token_file = closed / "admin.token"
        gateway.start()
        assert gateway.call("GET", "/api/v1/gateway").status == 200
        found = gateway.token_file.stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o600)
        assert [entry.name for entry in closed.iterdir()] == ["admin.token"]
        gateway.stop()
        gateway.start()
        assert [entry.name for entry in closed.iterdir()] == ["admin.token"]


@pytest.fixture
def gateway():
    with Gateway("root") as gateway:
        yield gateway


def test_a_session_outlives_kill_9_and_the_next_pair_ends_it(gateway):
    with PrivateMachine(gateway) as machine:
        visitor = Visitor(gateway, machine)
        session = visitor.counting().wait_for(b"3\n")
        try:
            before = launcher(gateway)
            gateway.kill()
            wait_until(lambda: not alive(before), 5, "the end of the launcher")
            session.flowing()
            gateway.start()
            assert launcher(gateway) != before
            session.flowing()
            gateway.ok("DELETE", f"/api/v1/tunnel-keys/{visitor.id}")
            assert session.wait_end() is not None
            assert "Permission denied" in visitor.run("true").stderr
        finally:
            session.close()


def test_the_gateway_stops_with_its_launcher_and_says_so(gateway):
    os.kill(launcher(gateway), signal.SIGKILL)
    assert gateway.process.wait(20) == 1
    assert "the process that starts sshd has ended" in gateway.log
    gateway.start()


def test_nothing_is_left_after_sigterm(gateway):
    kept = launcher(gateway)
    assert gateway.stop() == 0
    wait_until(lambda: not alive(kept), 5, "the end of the launcher")
    assert not listening(gateway.port) and not listening(gateway.ssh_port)


def test_a_signal_to_the_launcher_does_not_end_it(gateway):
    kept = launcher(gateway)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(kept, number)
    assert gateway.call("GET", "/api/v1/gateway").status == 200
    assert alive(kept)


def test_root_on_purpose_and_back():
    with Gateway("root", extra=["--run-as", "root"]) as gateway:
        assert facts(gateway.process.pid)["Uid"][0] == "0"
        assert not any("root" in text for text in warnings(gateway)), warnings(gateway)
        with PrivateMachine(gateway) as machine:
            visitor = Visitor(gateway, machine)
            session = visitor.counting().wait_for(b"3\n")
            try:
                gateway.stop()
                gateway.extra = []
                gateway.start()
                assert facts(gateway.process.pid)["Uid"][0] == str(pwd.getpwnam(ACCOUNT).pw_uid)
                session.flowing()
                gateway.ok("DELETE", f"/api/v1/tunnel-keys/{visitor.id}")
                assert session.wait_end() is not None
            finally:
                session.close()
        gateway.stop()
        gateway.extra = ["--run-as", "root"]
        gateway.start()
        assert gateway.state.stat().st_uid == 0


def test_a_folder_that_is_closed_to_the_user_keeps_root_and_is_named():
    with Gateway("root", start=False) as gateway:
        closed = gateway.folder / "closed"
        closed.mkdir(mode=0o700)
        gateway.state = closed / "state"
        gateway.start()
        assert facts(gateway.process.pid)["Uid"][0] == "0"
        named = [text for text in warnings(gateway) if str(closed) in text]
        assert len(named) == 1, warnings(gateway)
        assert "Permission denied" not in gateway.log
        gateway.stop()
        assert str(closed) in gateway.refused("--run-as", ACCOUNT)


def test_a_state_directory_that_somebody_may_exchange_keeps_root():
    with Gateway("root", start=False) as gateway:
        above = gateway.folder / "theirs"
        above.mkdir()
        account = programs.ordinary_user()
        os.chown(above, account.pw_uid, account.pw_gid)
        above.chmod(0o755)
        gateway.state = above / "state"
        gateway.start()
        assert any(str(above) in text for text in warnings(gateway)), warnings(gateway)


def test_content_of_roots_is_handed_over_without_following_links():
    outside = programs.session_folder() / "outside"
    outside.write_text("root's\n")
    with Gateway("root", start=False) as gateway:
        gateway.state.mkdir(mode=0o700)
        (gateway.state / "audit").mkdir(mode=0o700)
        (gateway.state / "audit" / "audit.jsonl").touch(mode=0o600)
        (gateway.state / "link").symlink_to(outside)
        os.link(outside, gateway.state / "second-name")
        gateway.start()
        account = pwd.getpwnam(ACCOUNT).pw_uid
        assert (gateway.state / "audit" / "audit.jsonl").stat().st_uid == account
        assert outside.stat().st_uid == 0
