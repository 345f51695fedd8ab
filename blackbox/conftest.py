"""Fixtures: a gateway in each mode, a machine, and the figures of the run."""

import os
import pwd
import random
import sys

import figures as measured
import leaks
import networks
import pytest
from gateway import MODES, Gateway, available_modes, default_mode
from machine import PrivateMachine

SEED = int(os.environ.get("TIDEGATE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)


@pytest.fixture(scope="session")
def figures():
    """Keeps measured figures for the summary."""
    return measured.Figures()


@pytest.fixture
def chance():
    """Random numbers that TIDEGATE_SEED repeats."""
    return random.Random(SEED)


@pytest.fixture(scope="session")
def every_mode():
    """The modes this account can run."""
    lacking = available_modes()
    return [mode for mode in MODES if mode not in lacking]


@pytest.fixture(scope="module", params=MODES)
def mode(request):
    """Each of the three modes in turn; one that this account cannot run is skipped with the reason."""
    reason = available_modes().get(request.param)
    if reason:
        pytest.skip(f"{request.param}: {reason}")
    return request.param


@pytest.fixture(scope="module")
def gateway_in_mode(mode):
    """A gateway in each mode, shared by a module."""
    with Gateway(mode) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway():
    """A gateway in the most capable mode, shared by a module."""
    with Gateway(default_mode()) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def machine(gateway):
    """A machine of that gateway, on this host's loopback."""
    with PrivateMachine(gateway) as machine:
        yield machine


@pytest.fixture
def fresh_gateway():
    """A gateway that a test may break."""
    with Gateway(default_mode()) as gateway:
        yield gateway


def pytest_report_header():
    account = pwd.getpwuid(os.geteuid()).pw_name
    return f"tidegate: seed {SEED} (TIDEGATE_SEED repeats it), account {account}, python {sys.version.split()[0]}"


def pytest_terminal_summary(terminalreporter):
    measured.Figures().note("secrets looked for in what the run left behind", leaks.summary())
    lines = measured.lines()
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"seed {SEED}")


def pytest_sessionfinish():
    networks.forget_namespaces()
