"""README and the pages of docs/: their code answers what it says, and they name what there is."""

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

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
BLOCK = re.compile(r"^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
TREE = re.compile(r"^```{toctree}\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?:\]\(|src=\"|srcset=\")([^)\"#:]+)[)\"]")
WITH_CODE = [name for name, text in PAGES.items() if BLOCK.search(text)]
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
    exec(compile(tree, "a page", "exec"), namespace)
    return count


@pytest.mark.parametrize("name", WITH_CODE)
def test_the_code_answers_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    module = ModuleType(Path(name).stem)  # classes must be found where they say they are defined
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    counts = [check(block, vars(module)) for block in BLOCK.findall(PAGES[name])]
    assert counts
    assert all(counts)


def test_the_readme_is_short_and_its_pages_are_there() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 200
    assert len(WITH_CODE) >= 6
    led_to = set()
    for name, text in PAGES.items():
        for target in LINK.findall(text):
            if target.endswith(".html"):
                continue  # made as the pages are built
            path = (ROOT / name).parent / target
            assert path.exists(), f"{name} leads to {target}, which is not there"
            led_to.add(path.resolve())
        entries = [line for tree in TREE.findall(text) for line in tree.split("\n\n", 1)[1].split()]
        led_to |= {(ROOT / name).parent / f"{entry}.md" for entry in entries if "*" not in entry}
    assert led_to >= {ROOT / name for name in PAGES} - {ROOT / "README.md", ROOT / "docs/index.md"}


def test_every_public_name_is_in_the_reference() -> None:
    reference = PAGES["docs/api.md"]
    named = set(re.findall(r"^   ([\w.]+)$", reference, flags=re.MULTILINE))
    assert named | {"draw"} >= set(ev.__all__)
    assert "`ecsviz.draw(x)`" in reference
    assert len(named) == len(re.findall(r"^   [\w.]+$", reference, flags=re.MULTILINE))


def test_a_wrong_answer_is_noticed() -> None:
    assert check("x = 1\nx  # → 1\n", {}) == 1
    with pytest.raises(AssertionError):
        check("1 + 1  # → 3\n", {})
    with pytest.raises(AssertionError):
        check("try:\n    1 / 0\nexcept ZeroDivisionError:\n    1  # → 2\n", {})


def test_every_public_name_is_in_the_table() -> None:
    table = PAGES["docs/names.md"]
    first = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name for cell in first for name in re.findall(r"`(\w+)`", cell)}
    assert named == set(ev.__all__), "the table and ecsviz.__all__ differ"


def test_every_chat_format_is_in_the_table() -> None:
    table = PAGES["docs/chats.md"].partition("## Which chats are read")[2]
    named = re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)
    assert named == sorted(each.name for each in FORMATS), "the table and FORMATS differ"


def test_the_methods_it_names_exist() -> None:
    table = PAGES["docs/names.md"]
    for name in ("ChatThread", "EntityDependencyGraph", "SQLAlchemyEntityStorage"):
        (row,) = [row for row in table.splitlines() if row.startswith(f"| `{name}`")]
        for method in re.findall(r"`(\w+)`", row.split("|")[2]):
            assert hasattr(getattr(ev, name), method), f"{name}.{method}"


def test_the_errors_it_names_exist() -> None:
    named = set(re.findall(r"`(\w+Error)`", "".join(PAGES.values()))) - {"KeyError", "ValueError"}
    assert len(named) > 10
    for name in named:
        assert issubclass(getattr(errors, name), ev.EcsvizError)


def test_the_table_of_what_was_measured_is_filled() -> None:
    page = PAGES["docs/measured.md"]
    table = page.partition("<!-- benchmarks -->")[2].partition("<!-- end -->")[0]
    for words in ("100,000 messages", "chain of 100,000", "register", "components and order"):
        assert words in table
