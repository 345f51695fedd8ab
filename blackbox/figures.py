"""Measured figures, printed together when the run ends."""

_notes = []


class Figures:
    """`note` keeps a sentence; `time` keeps the worst and the median of several durations in seconds."""

    def note(self, what, value):
        _notes.append((what, str(value)))

    def times(self, what, seconds):
        ordered = sorted(seconds)
        middle = ordered[len(ordered) // 2]
        self.note(what, f"median {middle * 1000:.0f} ms, worst {ordered[-1] * 1000:.0f} ms ({len(ordered)} measured)")


def lines():
    width = max((len(what) for what, _ in _notes), default=0)
    return [f"{what.ljust(width)}  {value}" for what, value in _notes]
