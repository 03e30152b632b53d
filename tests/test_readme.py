"""README: its code runs and answers what it says, and it names what there is."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.importers import FORMATS

TEXT = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
ANSWER = re.compile(r"  # → (.*)$")


def statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Every statement, those inside `try` and its handlers as well."""
    found = []
    for each in body:
        found.append(each)
        for part in ("body", "handlers"):
            if isinstance(each, ast.Try | ast.ExceptHandler):
                found += statements(getattr(each, part, []))
    return found


def check(block: str, namespace: dict[str, Any]) -> int:
    """Run a block with every answered expression checked; return how many there are."""
    lines = block.splitlines()
    tree = ast.parse(block)
    count = 0

    def compare(value: object, expected: str) -> None:
        assert repr(value) == expected

    for each in statements(tree.body):
        told = ANSWER.search(lines[each.end_lineno - 1]) if each.end_lineno else None
        if isinstance(each, ast.Expr) and told:
            call = ast.parse(f"_compare(None, {told[1]!r})", mode="eval").body
            assert isinstance(call, ast.Call)
            call.args[0] = each.value
            each.value = call
            count += 1
    ast.fix_missing_locations(tree)
    assert count == len([line for line in lines if "# →" in line]), "an answer to no expression"
    namespace["_compare"] = compare
    exec(compile(tree, "README.md", "exec"), namespace)
    return count


def test_the_code_answers_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("readme")  # classes must be found where they say they are defined
    monkeypatch.setitem(sys.modules, "readme", module)
    monkeypatch.chdir(tmp_path)
    counts = [check(block, vars(module)) for block in BLOCKS]
    assert len(counts) >= 4
    assert all(counts)
    assert (tmp_path / "threads.db").is_file()


def test_a_wrong_answer_is_noticed() -> None:
    assert check("x = 1\nx  # → 1\n", {}) == 1
    with pytest.raises(AssertionError):
        check("1 + 1  # → 3\n", {})
    with pytest.raises(AssertionError):
        check("try:\n    1 / 0\nexcept ZeroDivisionError:\n    1  # → 2\n", {})


def test_every_public_name_is_in_the_table() -> None:
    table = TEXT.partition("## What there is")[2].partition("\n## ")[0]
    first = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name for cell in first for name in re.findall(r"`(\w+)`", cell)}
    assert named == set(ev.__all__), "README's table and ecsviz.__all__ differ"


def test_every_chat_format_is_in_the_table() -> None:
    table = TEXT.partition("## Which chats are read")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)
    assert named == sorted(each.name for each in FORMATS), "README's table and FORMATS differ"


def test_the_methods_it_names_exist() -> None:
    table = TEXT.partition("## What there is")[2].partition("\n## ")[0]
    for name in ("ChatThread", "EntityDependencyGraph", "SQLAlchemyEntityStorage"):
        (row,) = [row for row in table.splitlines() if row.startswith(f"| `{name}`")]
        for method in re.findall(r"`(\w+)`", row.split("|")[2]):
            assert hasattr(getattr(ev, name), method), f"{name}.{method}"


def test_the_errors_it_names_exist() -> None:
    named = set(re.findall(r"`(\w+Error)`", TEXT)) - {"KeyError", "ValueError"}
    assert len(named) > 10
    for name in named:
        assert issubclass(getattr(errors, name), ev.EcsvizError)


def test_the_table_of_what_was_measured_is_filled() -> None:
    table = TEXT.partition("<!-- benchmarks -->")[2].partition("<!-- end -->")[0]
    for words in ("100,000 messages", "chain of 100,000", "register", "components and order"):
        assert words in table
