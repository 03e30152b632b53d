"""The benchmarks run, compare what they load, and print a Markdown table."""

from __future__ import annotations

import re

import pytest

import benchmarks.__main__ as bench
import ecsviz as ev


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["--sizes", "30", "20", "--repeats", "1"])
    out = capsys.readouterr().out
    assert f"ecsviz {ev.__version__}." in out
    rows = [line for line in out.splitlines() if line.startswith("| ")]
    assert len({row.count("|") for row in rows[:4]}) == 1
    first = [row.split(" | ")[0].removeprefix("| ") for row in rows if "---" not in row]
    shapes = ["20 messages", "30 messages", "chain of 30", "star of 30", "cycle of 30"]
    assert first == [
        "a chat thread of",
        *shapes[:2],
        "other shapes",
        *shapes[2:],
        "the graph of",
        *shapes,
    ]
    # Statements do not depend on the size: the same numbers in brackets for both threads.
    counts = [re.findall(r"\((\d+)\)", row) for row in rows[2:4]]
    assert counts[0] == counts[1]
    assert len(counts[0]) == 3


def test_the_thread_has_branches_and_is_sound() -> None:
    thread = bench.chat(50)
    assert len(thread.messages) == 50
    assert 1 < len(thread.branch_points()) < len(thread.leaves()) < 10
    for message in thread.messages:
        assert message.parent is None or message in message.parent.replies


def test_the_cycle_is_one() -> None:
    graph = ev.EntityDependencyGraph(bench.cycle(9))
    assert [len(cycle) for cycle in graph.get_cycles()] == [9]
