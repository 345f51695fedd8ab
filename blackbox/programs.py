"""The built binaries under test, and the accounts they run under."""

import atexit
import functools
import os
import pathlib
import pwd
import shutil
import stat
import tempfile

from commands import run

ROOT = pathlib.Path(__file__).resolve().parent.parent
INSTALLED_HELPER = pathlib.Path("/usr/libexec/tidegate/tidegate-keys")
ORDINARY_USER = "tidegate-test"
ORDINARY_HOME = pathlib.Path("/var/lib/tidegate-test")


def is_root():
    return os.geteuid() == 0


@functools.cache
def session_folder():
    """One throwaway folder for the whole run, which other accounts may walk through."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-blackbox-", dir="/var/tmp"))
    folder.chmod(0o755)
    if os.environ.get("TIDEGATE_KEEP"):
        print(f"programs: keeping {folder}")
    else:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def folder_of_binaries():
    """Where the binaries are; copied when an ordinary user could not reach them (a clone below a closed home)."""
    built = pathlib.Path(os.environ.get("TIDEGATE_BIN_DIR", ROOT / ".build" / "release")).resolve()
    above = [built, *built.parents]
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in above):
        return built
    copy = session_folder() / "bin"
    copy.mkdir()
    for name in ("tidegate", "tidegate-agent", "tidegate-keys"):
        shutil.copy2(built / name, copy / name)
    return copy


def tidegate():
    return str(folder_of_binaries() / "tidegate")


def agent():
    return str(folder_of_binaries() / "tidegate-agent")


@functools.cache
def sshd():
    found = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
    assert found, "sshd is not installed: run 'make setup'"
    return found


@functools.cache
def ordinary_user():
    """An account without any privilege. Its home is its own, because sshd checks who owns the way to a key file."""
    if not is_root():
        return pwd.getpwuid(os.geteuid())
    make_account(ORDINARY_USER, ORDINARY_HOME)
    return pwd.getpwnam(ORDINARY_USER)


def make_account(name, home, shell="/bin/sh"):
    """An account that can log in with a key; its password is `*`, since sshd takes `!` for locked."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        run(["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", shell, name],
            check=True)  # fmt: skip
        run(["usermod", "-p", "*", name], check=True)
    account = pwd.getpwnam(name)
    home = pathlib.Path(account.pw_dir)
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    os.chown(home, account.pw_uid, account.pw_gid)
    return account


def as_user(account):
    """The words before a command line that runs it as `account`."""
    if account is None or account.pw_uid == os.geteuid():
        return []
    return ["setpriv", "--reuid", account.pw_name, "--regid", str(account.pw_gid), "--init-groups"]
