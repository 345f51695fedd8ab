"""What a gateway's process holds of the memory by itself."""

import os
import pathlib

import pytest


def gateway_pid(gateway):
    """The process that serves: root's small one has it as a child."""
    children = pathlib.Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()
    pids = [gateway.process.pid, *map(int, children)]
    if os.geteuid() != 0 and not os.access(f"/proc/{pids[0]}/smaps_rollup", os.R_OK):
        pytest.skip("the gateway's memory can't be read")
    return max(pids, key=resident)


def resident(pid):
    """Kilobytes of a process's memory that are its own."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(("Private_Dirty", "Private_Clean")))
