"""What the README says to type: `make run`, its blocks as printed, and the demo."""

import os
import re
import signal
import subprocess
import tempfile

import programs
import pytest
from commands import log_text, processes, run
from waiting import wait_until


def blocks():
    """Shell by name: README.md marks what belongs together with <!-- runs: NAME -->, in reading order."""
    text = (programs.ROOT / "README.md").read_text(encoding="utf-8")
    found = {}
    for name, shell in re.findall(r"<!-- runs: ([\w-]+) -->\s*```sh\n(.*?)```", text, re.S):
        found[name] = found.get(name, "") + shell
    return found


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    return kept | {"TIDEGATE_BIN_DIR": str(programs.folder_of_binaries())} | more


@pytest.fixture(scope="module")
def running():
    """`make run`, after its build, in a folder of its own."""
    folder = tempfile.mkdtemp(prefix="run-", dir=programs.session_folder())
    path = os.path.join(folder, "output")
    with open(path, "wb") as output:
        process = subprocess.Popen(
            [programs.ROOT / "scripts" / "run"], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env=environment(TIDEGATE_RUN_DIR=folder), cwd=programs.ROOT, start_new_session=True,
        )  # fmt: skip

    def up():
        assert process.poll() is None, log_text(path)
        return "Tidegate is up" in log_text(path)

    try:
        wait_until(up, 60, lambda: log_text(path))
        yield folder
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(40)
    wait_until(lambda: not left(folder), 10, lambda: f"left by make run: {left(folder)}")


def left(folder):
    """Processes that name `folder`."""
    return [words for _, _, words in processes() if any(folder in word for word in words)]


def test_the_readme_has_blocks_that_run():
    assert blocks()


@pytest.mark.parametrize("name", blocks())
def test_the_blocks_run_as_printed(running, name):
    for attempt in ("first", "again"):
        done = run(["bash", "-euo", "pipefail", "-c", blocks()[name]], 60, env=environment(TIDEGATE_RUN_DIR=running))
        assert done.returncode == 0, f"{attempt}:\n{done.stdout}\n{done.stderr}"
        assert done.stdout.count(os.uname().nodename) >= 2, done.stdout


def test_a_second_run_in_the_same_folder_is_refused(running):
    done = run([programs.ROOT / "scripts" / "run"], env=environment(TIDEGATE_RUN_DIR=running), cwd=programs.ROOT)
    assert done.returncode != 0 and running in done.stderr


def test_the_demo_does_the_whole_job_and_leaves_nothing(figures):
    done = run([programs.ROOT / "scripts" / "demo"], 120, env=environment(), cwd=programs.ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    cut = re.search(r"cut (\d+) ms", done.stdout)
    figures.note("demo: cut after tidegate key revoke was started", f"{cut.group(1)} ms")
    folder = re.search(r"A gateway in (\S+)", done.stdout).group(1)
    assert not os.path.exists(folder)
    assert not left(folder)
