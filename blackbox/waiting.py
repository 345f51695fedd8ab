"""The one way to wait: for a condition, with a deadline, and a sentence for the failure."""

import threading
import time

_never = threading.Event()


def wait_until(condition, deadline, what, every=0.02):
    """Polls until `condition()` is true and returns its value; fails after `deadline` seconds, naming `what`."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            what = what() if callable(what) else what
            raise AssertionError(f"not within {deadline} s: {what}")
        _never.wait(every)


def until_moment(moment):
    """Returns at `moment` of the monotonic clock: for a race whose point is to happen at a chosen time."""
    left = moment - time.monotonic()
    if left > 0:
        _never.wait(left)


def stays(condition, seconds, what):
    """Fails as soon as `condition()` is false within `seconds`: for what has to go on undisturbed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), what
        _never.wait(0.02)
