"""Cyclic data of other projects' test suites as entities: stored, and the same graph again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

import ecsviz as ev
from ecsviz.isomorphic import find_difference


class Box(ev.Entity):
    """Any container or object: what it holds, by place."""

    kind: str
    atoms: dict[str, JsonValue] = {}
    held: dict[str, Box] = {}


Store = Callable[[], Any]


@pytest.fixture(params=["memory", "sqlite"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        store = ev.InMemoryEntityStorage()
        return lambda: store
    return lambda: ev.SQLAlchemyEntityStorage(tmp_path / "a.db")


def cases_of(shared: Path, name: str, key: str = "cases") -> list[Any]:
    cases: list[Any] = json.loads((shared / "data/peer" / name).read_text())[key]
    return cases


def comes_back(reopen: Store, boxes: list[Box]) -> ev.EntityDependencyGraph:
    """Store the boxes, read them elsewhere, compare both ways, and return the graph read."""
    reopen().register(boxes)
    again = reopen().get_many([box.ecs_id for box in boxes])
    for box, other in zip(boxes, again, strict=True):
        assert find_difference(box, other) is None
    assert len({id(box) for box in again}) == len({id(box) for box in boxes})
    graph = ev.EntityDependencyGraph(again)
    assert len(graph.references) == sum(len(box.held) for box in boxes)
    return graph


def test_pickle(shared: Path, reopen: Store) -> None:
    cases = cases_of(shared, "pickle_recursive_cases.json")
    cyclic = 0
    for case in cases:
        boxes = {
            node["id"]: Box(kind=node["type"], atoms={"atoms": node.get("atoms", [])})
            for node in case["nodes"]
        }
        for number, (source, target, path) in enumerate(case["edges"]):
            boxes[source].held[f"{number} {path}"] = boxes[target]
        graph = comes_back(reopen, list(boxes.values()))
        expect = case["expect"]
        assert len(graph.nodes) == expect["objects"]
        assert len(graph.references) == expect["references"]
        numbers = {box.ecs_id: number for number, box in boxes.items()}
        found = sorted(
            sorted(numbers[box.ecs_id] for box in part) for part in graph.cyclic_components()
        )
        assert found == sorted(map(sorted, expect["scc_gt1_or_self"])), case["test"]
        cyclic += bool(found)
    assert len(cases) >= 20
    assert cyclic >= 20


def test_flatted(shared: Path, reopen: Store) -> None:
    documents = cases_of(shared, "flatted_cyclic_json.json", "documents")
    loops = 0
    for document in documents:
        entries, expect = document["flatted"], document["expect"]
        kinds = {n: type(entry).__name__ for n, entry in enumerate(entries)}
        boxes = {n: Box(kind=kind) for n, kind in kinds.items() if kind in ("list", "dict")}
        for n, box in boxes.items():
            entry = entries[n]
            items = entry.items() if isinstance(entry, dict) else enumerate(entry)
            for key, value in items:
                if isinstance(value, str) and int(value) in boxes:
                    box.held[str(key)] = boxes[int(value)]
                else:
                    box.atoms[str(key)] = entries[int(value)] if isinstance(value, str) else value
        graph = comes_back(reopen, list(boxes.values()))
        assert sum(box.kind == "dict" for box in boxes.values()) == expect["objects"]
        assert sum(box.kind == "list" for box in boxes.values()) == expect["arrays"]
        assert len(graph.references) == expect["references"]
        components = graph.cyclic_components()
        assert sum(len(part) > 1 for part in components) == expect["scc_gt1"]
        loops += expect["self_loops"] + expect["scc_gt1"]
    assert len(documents) >= 5
    assert loops > 5


def yaml_boxes(events: str) -> tuple[list[Box], int]:
    """Return a box per node of an event stream of YAML, and how many aliases it has."""
    boxes: list[Box] = []
    anchors: dict[str, Box] = {}
    stack: list[Box] = []
    aliases = 0
    for line in map(str.strip, events.splitlines()):
        if line.startswith(("-SEQ", "-MAP", "-DOC", "-STR")):
            stack.pop()
            continue
        if line.startswith("=ALI"):
            target = anchors[line.removeprefix("=ALI *")]
            aliases += 1
        else:
            target = Box(kind=line[:4], atoms={"event": line})
            boxes.append(target)
            # Before the text of a scalar; a collection may have its brackets before it.
            words = line.split()[1 : 2 if line.startswith("=VAL") else 3]
            for word in words:
                if word.startswith("&"):
                    anchors[word[1:]] = target
        if stack:
            stack[-1].held[str(len(stack[-1].held))] = target
        if line.startswith("+"):
            stack.append(target)
    assert not stack
    return boxes, aliases


def test_yaml_aliases(shared: Path, reopen: Store) -> None:
    cases = cases_of(shared, "yaml_alias_cases.json")
    shared_nodes = 0
    for case in cases:
        boxes, aliases = yaml_boxes(case["events"])
        graph = comes_back(reopen, boxes)
        # Every node but the first has one holder; each alias is one more.
        assert len(graph.references) == len(boxes) - 1 + aliases, case["id"]
        shared_nodes += aliases
    assert len(cases) >= 8
    assert shared_nodes >= len(cases)


def tree_of(value: Any, above: list[Box]) -> Iterator[Box]:
    """Yield a box per container of an input; ``$cycle_to_depth`` is the one at that depth."""
    top = Box(kind=type(value).__name__)
    # (container, its box, the boxes above it, itself included)
    todo: list[tuple[Any, Box, list[Box]]] = [(value, top, [*above, top])]
    while todo:
        container, box, line = todo.pop()
        yield box
        items = container.items() if isinstance(container, dict) else enumerate(container)
        for key, part in items:
            if isinstance(part, dict) and "$cycle_to_depth" in part:
                box.held[str(key)] = line[part["$cycle_to_depth"]]
            elif isinstance(part, (dict, list)):
                inner = Box(kind=type(part).__name__)
                box.held[str(key)] = inner
                todo.append((part, inner, [*line, inner]))
            else:
                box.atoms[str(key)] = part


def test_pydantic(shared: Path, reopen: Store) -> None:
    cases = cases_of(shared, "pydantic_recursive_cases.json")
    ran = cyclic = 0
    for case in cases:
        given = case["input"]
        if not isinstance(given, (dict, list)):
            continue
        boxes = list(tree_of(given, []))
        graph = comes_back(reopen, boxes)
        cycles = json.dumps(given).count("$cycle_to_depth")
        assert len(graph.references) == len(boxes) - 1 + cycles, case["test"]
        assert bool(graph.cyclic_components()) == bool(cycles)
        ran += 1
        cyclic += bool(cycles)
    assert ran >= 10
    assert cyclic >= 1
