"""What a process holds of the memory, and how long a program takes until it is there."""

import pathlib
import time

import report  # noqa: F401  (makes the harness importable)

from waiting import wait_until

MEASURES = ("Rss", "Pss", "Private_Dirty")


def memory(*pids):
    """Bytes of each measure, summed over these processes; Pss counts a page that n processes share as an n-th."""
    sums = dict.fromkeys(MEASURES, 0)
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, amount = line.split()[:2]
            if name[:-1] in sums:
                sums[name[:-1]] += int(amount) * 1024
    return sums


def settled(*pids, quiet=3.0, deadline=120):
    """`memory` once its own pages have not changed by more than a hundredth for `quiet` seconds."""
    last, since = memory(*pids)["Private_Dirty"], time.monotonic()

    def still():
        nonlocal last, since
        now = memory(*pids)["Private_Dirty"]
        if abs(now - last) > max(last // 100, 65_536):
            last, since = now, time.monotonic()
        return time.monotonic() - since >= quiet

    wait_until(still, deadline, "memory that stays as it is", every=0.2)
    return memory(*pids)


def start_seconds(gateway, deadline=300):
    """Starts a stopped gateway: seconds from spawning it to /readyz saying 200."""
    begun = time.perf_counter()
    gateway.launch()
    wait_until(gateway.ready, deadline, lambda: f"the gateway ready; its log:\n{gateway.log_end}", every=0.001)
    return time.perf_counter() - begun
