"""The table of conformance rows is whole, and names only tests that exist."""

import ast
import functools
import pathlib
import re

import pytest
from vectors import ROWS

HERE = pathlib.Path(__file__).resolve().parent
SWIFT = HERE.parent / "Tests"
COUNTS = {"H": 13, "W": 9, "A": 2, "M": 18, "P": 7, "N": 9}
CASES = [*range(1, 9), 12, 13, *range(38, 43)]


@functools.cache
def functions(path):
    """The tests of a Python file by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@functools.cache
def swift_tests(path):
    """Sentences for names in a Swift file: nothing but tests has one there."""
    return set(re.findall(r"func `([^`]+)`\(", path.read_text(encoding="utf-8")))


def exists(test):
    where, name = test.split("::", 1)
    if where.endswith(".swift"):
        path = SWIFT / where
        return path.is_file() and name in swift_tests(path)
    path = HERE / where
    return path.is_file() and name in functions(path)


def test_no_row_is_missing_and_none_is_there_twice():
    wanted = [f"{letter}{number}" for letter, last in COUNTS.items() for number in range(1, last + 1)]
    wanted += [f"case {number}" for number in CASES]
    assert [row.name for row in ROWS] == wanted


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_shown_or_says_why_not(row):
    assert row.demand
    assert bool(row.shown) != bool(row.uncovered), "shown by a test, or a reason; not both"
    missing = [test for test in row.shown if not exists(test)]
    assert not missing, f"there is no {missing}"
    assert len(set(row.shown)) == len(row.shown)
    for reason in (row.differs, row.uncovered):
        assert not reason or len(reason.split()) >= 4, "a reason is a sentence"


def test_a_test_that_is_named_after_a_row_is_in_its_line():
    shown = {row.name: " ".join(row.shown) for row in ROWS}
    for path in sorted(HERE.glob("test_*.py")):
        for name in functions(path):
            rows = re.match(r"test_((?:[hwmpn]\d+_)+|case_\d+_)", name)
            for row in re.findall(r"[hwmpn]\d+|case_\d+", rows.group(1)) if rows else []:
                row = row.replace("_", " ") if "case" in row else row.upper()
                assert f"{path.name}::{name}" in shown.get(row, ""), f"{path.name}::{name} isn't in the line of {row}"


@pytest.mark.parametrize("test", [
    "test_access.py::test_nothing_of_that_name", "test_nothing.py::test_x", "GateControlTests/TicketServiceTests.swift::it lives",
    "GateControlTests/Nothing.swift::it lives thirty seconds", "vectors.py::row",
])  # fmt: skip
def test_a_test_that_does_not_exist_is_found_out(test):
    assert not exists(test)
