"""What every benchmark shares: its arguments, what it ran on, and figures as Markdown tables and as JSON."""

import argparse
import json
import math
import os
import pathlib
import platform
import random
import re
import sqlite3
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "blackbox"))

import programs  # noqa: E402
from commands import run  # noqa: E402

# --- figures from lists of numbers ---

median = statistics.median


def percentile(values, percent):
    """The smallest measured value that at least `percent` in a hundred do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def tail_percent(count):
    """99, or 90 where a hundredth of the values would be less than one of them."""
    return 99 if count >= 100 else 90


def tail(values):
    return percentile(values, tail_percent(len(values)))


def ratio(values, base):
    """By how much the medians differ, as a factor."""
    return median(values) / median(base)


def ratio_interval(values, base, rounds=2000):
    """Between which two factors the ratio of the medians lies in 95 of 100 redrawn samples (bootstrap).

    `values[i]` and `base[i]` are of the same round and are drawn together, so what slowed a whole round slows both.
    """
    chance, count = random.Random(1), min(len(values), len(base))
    drawn = []
    for _ in range(rounds):
        picks = [chance.randrange(count) for _ in range(count)]
        drawn.append(median([values[i] for i in picks]) / median([base[i] for i in picks]))
    return percentile(drawn, 2.5), percentile(drawn, 97.5)


# --- cells ---


def milliseconds(seconds, digits=1):
    return f"{seconds * 1000:,.{digits}f} ms"


def mebibytes(amount, digits=1):
    return f"{amount / (1 << 20):,.{digits}f} MiB"


def factor(value):
    return f"{value:.3f}"


def whole(value):
    return f"{value:,.0f}"


def cell(value):
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 100 else whole(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def table(columns, rows):
    """Markdown with aligned columns: the first to the left, figures to the right."""
    grid = [[cell(value) for value in row] for row in [columns, *rows]]
    widths = [max(3, *(len(row[index]) for row in grid)) for index in range(len(columns))]

    def line(row):
        first, *others = (text.ljust(width) if index == 0 else text.rjust(width)
                          for index, (text, width) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        return "| " + " | ".join([first, *others]) + " |"

    rule = "|" + "|".join("-" * (width + 2) if index == 0 else "-" * (width + 1) + ":"
                          for index, width in enumerate(widths)) + "|"  # fmt: skip
    return "\n".join([line(grid[0]), rule, *map(line, grid[1:])])


# --- what it ran on ---


def _first(pattern, text, otherwise="unknown"):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else otherwise


def file_system(folder):
    """Type and device of what holds `folder`: what a sync costs depends on it."""
    folder, best = pathlib.Path(folder).resolve(), ("", "unknown")
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        device, point, kind = line.split()[:3]
        if folder.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, f"{kind} on {device}")
    return best[1]


def machine_facts(folder):
    """Where a figure comes from, without which it says nothing."""
    processor = pathlib.Path("/proc/cpuinfo").read_text()
    memory = int(_first(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), "0"))
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": _first(r"^model name\s*:\s*(.*)$", processor, platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{memory / (1 << 20):.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "OpenSSH": _first(r"(OpenSSH_[^,]+)", run(["ssh", "-V"]).stderr),
        "SQLite": sqlite3.sqlite_version,
        "tidegate": run([programs.tidegate(), "--version"], check=True).stdout.strip(),
        "state folder": f"{folder}: {file_system(folder)}",
        "load average at start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


class Report:
    """Prints as it goes, so that a run that is cut short has said what it knew; `finish` writes the JSON."""

    def __init__(self, title, options, folder=None):
        """`folder` is where the gateway's state lies; without one, it is where the harness puts it."""
        self.options = options
        self.facts = machine_facts(folder or programs.session_folder())
        self.data = {"title": title, "quick": options.quick, "machine": self.facts, "tables": [], "values": {}}
        print(f"# {title}\n")
        for name, value in self.facts.items():
            print(f"- {name}: {value}")
        if options.quick:
            print("- a quick run: it shows that the script works, not how fast the product is")
        print(flush=True)

    def note(self, text):
        print(f"{text}\n", flush=True)
        self.data.setdefault("notes", []).append(text)

    def table(self, heading, columns, rows):
        rows = [list(row) for row in rows]
        print(f"## {heading}\n\n{table(columns, rows)}\n", flush=True)
        self.data["tables"].append({"heading": heading, "columns": list(columns), "rows": rows})

    def keep(self, name, values):
        """Single measurements for the JSON: a later reader may want another statistic."""
        self.data["values"][name] = values

    def finish(self):
        if self.options.json:
            text = json.dumps(self.data, indent=1, default=str) + "\n"
            pathlib.Path(self.options.json).write_text(text, encoding="utf-8")
            print(f"written: {self.options.json}")


def arguments(description, epilog=None):
    """A parser with what all scripts take; a script adds its own and calls `parse_args`."""
    parser = argparse.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes: shows that the script works")
    parser.add_argument("--json", metavar="FILE", help="also write every measured value there")
    return parser


def progress(text):
    """What a long run is at, beside the report and not in it."""
    print(f"  … {text}", file=sys.stderr, flush=True)
