"""The sshd a gateway runs or is given: what is checked at its start, and which folder or setting is at fault."""

import os
import pathlib
import shutil

import programs
import pytest
from commands import run
from gateway import Gateway
from networks import listening
from tunnels import Tunnel


@pytest.fixture
def unstarted():
    with Gateway(start=False) as gateway:
        yield gateway


@pytest.mark.skipif(not programs.is_root(), reason="needs root")
@pytest.mark.parametrize("mode", ["root", "user-helper"])
def test_an_unsafe_folder_above_the_helper_is_named(mode):
    """sshd would refuse each login without a word to the user; the start names the folder instead."""
    if not programs.INSTALLED_HELPER.exists():
        pytest.skip("the helper is not installed")
    above = pathlib.Path("/var/lib/tidegate-test-helper")
    shutil.rmtree(above, ignore_errors=True)
    try:
        for fault, folder in (("writable", above / "open"), ("owner", above / "owned")):
            (folder / "bin").mkdir(parents=True)
            helper = folder / "bin" / "tidegate-keys"
            shutil.copy2(programs.INSTALLED_HELPER, helper)
            if fault == "writable":
                folder.chmod(0o777)
            else:
                os.chown(folder, programs.ordinary_user().pw_uid + 1, -1)
            with Gateway(mode, start=False) as gateway:
                position = gateway.arguments.index("--keys-command") if "--keys-command" in gateway.arguments else None
                assert position is None or mode == "user-helper"
                log = gateway.refused("--keys-command", helper)
                assert str(folder) in log, log
    finally:
        shutil.rmtree(above, ignore_errors=True)


def test_an_ordinary_user_is_told_what_lacks():
    mode = "user-plain"
    with Gateway(mode) as gateway:
        assert "authorized_keys" in gateway.log
        (path,) = [path for path in gateway.state.rglob("authorized_keys*") if path.is_file()][:1]
        Tunnel(gateway)
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert lines
        for line in lines:
            assert line.startswith("restrict,port-forwarding,") and 'command="/usr/sbin/nologin"' in line
            assert "permitopen=" in line and "permitlisten=" in line


# --- sshd that is not ours ---


def test_external_prints_a_drop_in_and_refuses_what_is_unsafe(unstarted):
    text = run(
        [programs.tidegate(), "serve", *unstarted.arguments, "--ssh", "external", "--print-drop-in"], check=True
    ).stdout
    assert "AllowStreamLocalForwarding no" in text and "AuthorizedKeysCommand " in text and "MaxSessions 0" in text
    unstarted.extra += ["--ssh", "external"]
    log = unstarted.refused().lower()
    for setting in ("allowstreamlocalforwarding", "authorizedkeysfile", "--print-drop-in"):
        assert setting in log, log


def test_ssh_off_serves_the_api_alone(unstarted):
    unstarted.extra += ["--ssh", "off"]
    unstarted.start()
    assert unstarted.call("GET", "/api/v1/machines").status == 200
    assert not listening(unstarted.ssh_port)


def test_the_managed_configuration_is_confined_globally(fresh_gateway):
    gateway = fresh_gateway
    (config,) = [path for path in (gateway.state / "ssh").rglob("*") if path.is_file() and "sshd" in path.name
                 and "config" in path.name]  # fmt: skip
    text = config.read_text().lower()
    assert "\nmatch " not in text
    for line in ("allowstreamlocalforwarding no", "gatewayports no", "maxsessions 0", "permittty no", "permittunnel no",
                 "x11forwarding no", "allowagentforwarding no", "permituserrc no", "permituserenvironment no",
                 "permitrootlogin no", "authenticationmethods publickey", "forcecommand /usr/sbin/nologin", "usedns no",
                 f"allowusers {gateway.ssh_user}"):  # fmt: skip
        assert line in " ".join(text.split()) or line in text, line
    effective = run([programs.sshd(), "-T", "-f", config, "-C", f"user={gateway.ssh_user},host=h,addr=127.0.0.1"])
    assert effective.returncode == 0, effective.stderr
    assert "allowstreamlocalforwarding no" in effective.stdout and "maxsessions 0" in effective.stdout
