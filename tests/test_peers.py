"""Cases that other projects test their graph algorithms with, built as entities.

The cases and the figures lie in ../shared; without it, these tests are skipped. An edge from u to
v is an entity u that holds v: u depends on v. networkx orders u before v, we put what is depended
on first: our order is theirs of the reversed graph.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.graph.cycles import cycle_search
from tests.entity_graphs import Vertex, names_of, vertices

Case = dict[str, Any]
Graph = ev.EntityDependencyGraph


class Built:
    """The graph of a case as entities."""

    def __init__(self, nodes: list[str], edges: list[list[str]], *, backwards: bool = False):
        pairs = [(edge[0], edge[1]) for edge in edges]
        self.edges = [(b, a) for a, b in pairs] if backwards else pairs
        self.by_name = vertices(nodes, self.edges)
        self.graph = Graph(self.by_name)

    def components(self) -> list[set[str]]:
        """Return the strongly connected components: the cyclic ones, and each other by itself."""
        cyclic = [set(names_of(component)) for component in self.graph.cyclic_components()]
        rest = set(self.by_name) - set().union(*cyclic)
        return [*cyclic, *({name} for name in rest)]

    def between_components(self) -> set[tuple[int, int]]:
        number = {name: k for k, component in enumerate(self.components()) for name in component}
        found = ((number[r.source.name], number[r.target.name]) for r in self.graph.references)
        return {(a, b) for a, b in found if a != b}

    def cycles(self, longest: int | None = None) -> list[list[str]]:
        """Return the elementary cycles, up to a length."""
        found = []
        for cycle in cycle_search(self.graph.arrays, self.graph.ordering, float("inf")):
            if longest is not None and len(cycle) > longest:
                break  # shortest first: all that follow are longer
            found.append(names_of(self.graph.nodes[number] for number in cycle))
        if longest is None:
            listed = self.graph.get_cycles(limit=None, seconds=None)
            assert [names_of(cycle.nodes) for cycle in listed] == found
            assert listed.complete
        return found

    def chordless(self, longest: int | None = None) -> list[list[str]]:
        """Return the cycles among whose nodes there is no other edge, nor one of them twice."""
        found = []
        for cycle in self.cycles(longest):
            inside = [(a, b) for a, b in self.edges if a in cycle and b in cycle]
            if sorted(inside) == sorted(zip(cycle, [*cycle[1:], cycle[0]], strict=True)):
                found.append(cycle)
        return found

    def below(self, name: str) -> set[str]:
        return set(names_of(self.graph.dependencies(self.by_name[name], transitive=True)))

    def above(self, name: str) -> set[str]:
        return set(names_of(self.graph.dependents(self.by_name[name], transitive=True)))

    def closure(self, reflexive: bool | None) -> set[tuple[str, str]]:
        """Return who reaches whom; themselves in cycles only (False), or always (True)."""
        pairs = {(a, b) for a in self.by_name for b in self.below(str(a))}
        if reflexive is True:
            pairs |= {(a, a) for a in self.by_name}
        elif reflexive is False:
            cyclic = self.graph.cyclic_components()
            pairs |= {(name, name) for component in cyclic for name in names_of(component)}
        else:
            pairs |= {(a, b) for a, b in self.edges if a == b}
        return pairs  # type: ignore[return-value]  # the names are texts


def rotated(cycle: list[str]) -> tuple[str, ...]:
    first = cycle.index(min(cycle))
    return tuple(cycle[first:] + cycle[:first])


def sets(groups: Any) -> Counter[frozenset[str]]:
    return Counter(frozenset(group) for group in groups)


# -- networkx --------------------------------------------------------------------------------


def components(built: Built, case: Case) -> None:
    assert sets(built.components()) == sets(case["expected"]["components"])


def number_of_components(built: Built, case: Case) -> None:
    assert len(built.components()) == case["expected"]["value"]


def is_one_component(built: Built, case: Case) -> None:
    if case["expected"].get("error") == "NetworkXPointlessConcept":
        assert built.components() == []
    else:
        assert (len(built.components()) == 1) == case["expected"]["value"]


def attracting(built: Built, case: Case) -> None:
    """What leads nowhere else is our first generation."""
    first = set(names_of(built.graph.generations()[0]))
    found = [component for component in built.components() if component <= first]
    assert sets(found) == sets(case["expected"]["components"])


def condensed(built: Built, case: Case) -> None:
    assert len(built.components()) == case["expected"]["nodes"]
    assert len(built.between_components()) == case["expected"]["edges"]


def cycles(built: Built, case: Case) -> None:
    compare(built.cycles(case["kw"].get("length_bound")), case)


def chordless(built: Built, case: Case) -> None:
    compare(built.chordless(case["kw"].get("length_bound")), case)


def compare(found: list[list[str]], case: Case) -> None:
    assert len(found) == len({*map(rotated, found)})
    count = case["expected"]["count"]
    if isinstance(count, str):  # ">2000": where it would have taken too long to count them
        assert len(found) > int(count[1:])
    else:
        assert len(found) == count
    assert [len(cycle) for cycle in found] == sorted(map(len, found))
    if case["expected"]["cycles"] is not None:
        # networkx' tests note the nodes of a cycle, sorted.
        assert Counter(map(frozenset, found)) == sets(case["expected"]["cycles"])


def sorts(built: Built, case: Case) -> None:
    expected = case["expected"]
    assert built.graph.is_acyclic == ("error" not in expected)
    if "error" in expected:
        assert expected["error"] == "NetworkXUnfeasible"
        assert built.graph.status is ev.CycleStatus.CYCLE_DETECTED
        return
    ours = names_of(built.graph.get_topological_sort())[::-1]
    if "orders" in expected:
        assert ours in expected["orders"]
    for found in (ours, *expected.get("orders", [expected.get("order")])):
        assert sorted(found) == sorted(map(str, built.by_name))
        place = {name: number for number, name in enumerate(found)}
        assert all(place[a] < place[b] for a, b in built.edges)


def generations(built: Built, case: Case) -> None:
    if "error" in case["expected"]:
        assert not built.graph.is_acyclic
        return
    backwards = Built(case["graph"]["nodes"], case["graph"]["edges"], backwards=True)
    expected = list(map(set, case["expected"]["generations"]))
    assert [set(names_of(nodes)) for nodes in backwards.graph.generations()] == expected
    assert len(built.graph.generations()) == len(expected)


def acyclic(built: Built, case: Case) -> None:
    assert built.graph.is_acyclic == case["expected"]["value"]
    found = ev.CycleStatus.NO_CYCLE if case["expected"]["value"] else ev.CycleStatus.CYCLE_DETECTED
    assert built.graph.status is found


def longest_path(built: Built, case: Case) -> None:
    assert len(built.graph.generations()) - 1 == case["expected"]["value"]


def descendants(built: Built, case: Case) -> None:
    assert built.below(str(case["args"][0])) == set(case["expected"]["nodes"])


def closure(built: Built, case: Case) -> None:
    found = built.closure(case["args"][0] if case["args"] else False)
    assert len(built.by_name) == case["expected"]["nodes"]
    assert len(found) == case["expected"]["edges"]
    if case["expected"]["edge_list"] is not None:
        assert found == {(a, b) for a, b in case["expected"]["edge_list"]}


def some_cycle(built: Built, case: Case) -> None:
    """networkx tells one cycle that can be reached from where it starts."""
    starts = case["kw"].get("source", case["args"][0] if case["args"] else None)
    names = [str(name) for name in (json.loads(starts) if isinstance(starts, str) else [starts])]
    roots = built.by_name if starts is None else [built.by_name[name] for name in names]
    graph = Graph(roots)
    if "error" in case["expected"]:
        assert graph.is_acyclic
        assert graph.get_cycles() == []
        return
    edges = [(a, b) for a, b, *_ in case["expected"]["edges"]]
    if case["kw"].get("orientation") == "reverse":
        edges.reverse()  # told against the arrows
    assert all(edge in built.edges for edge in edges)
    listed = {rotated(names_of(cycle.nodes)) for cycle in graph.get_cycles(limit=None)}
    assert rotated([a for a, _ in edges]) in listed


NETWORKX: dict[str, Callable[[Built, Case], None]] = {
    "all_topological_sorts": sorts,
    "attracting_components": attracting,
    "chordless_cycles": chordless,
    "condensation": condensed,
    "dag_longest_path_length": longest_path,
    "descendants": descendants,
    "find_cycle": some_cycle,
    "is_directed_acyclic_graph": acyclic,
    "is_strongly_connected": is_one_component,
    "lexicographical_topological_sort": sorts,
    "number_strongly_connected_components": number_of_components,
    "simple_cycles": cycles,
    "strongly_connected_components": components,
    "topological_generations": generations,
    "topological_sort": sorts,
    "transitive_closure": closure,
}


def left_out(case: Case) -> str | None:
    """Return why a case has no counterpart here, or None if it has one."""
    if not case["graph"]["directed"]:
        return "the graph has no directions"
    if case["kw"].get("orientation") == "ignore":
        return "directions are to be ignored"
    if case["expected"].get("error") == "ValueError":
        return "a negative bound of the length, and we take none"
    if case["function"] == "dag_longest_path_length" and "_weighted" in case["test"]:
        return "edges have weights, which were not recorded"
    return None


LEFT_OUT = {
    "the graph has no directions": 72,
    "directions are to be ignored": 1,
    "a negative bound of the length, and we take none": 1,
    "edges have weights, which were not recorded": 2,
}


def test_networkx(shared: Path) -> None:
    cases = json.loads((shared / "data/peer/networkx_cases.json").read_text())["cases"]
    out: Counter[str] = Counter()
    ran: Counter[str] = Counter()
    for case in cases:
        why = left_out(case)
        if why is not None:
            out[why] += 1
            continue
        built = Built(case["graph"]["nodes"], case["graph"]["edges"])
        try:
            NETWORKX[case["function"]](built, case)
        except AssertionError as error:
            error.add_note(f"{case['test']}: {case['function']} {json.dumps(case)[:2_000]}")
            raise
        ran[case["function"]] += 1
    assert dict(out) == LEFT_OUT
    assert set(ran) == set(NETWORKX)
    assert ran.total() == len(cases) - out.total() == 367
    assert ran["strongly_connected_components"] == 192
    assert ran["simple_cycles"] == 62
    assert ran["chordless_cycles"] == 16


# -- graphlib --------------------------------------------------------------------------------


def test_graphlib(shared: Path) -> None:
    cases = json.loads((shared / "data/peer/graphlib_cases.json").read_text())["cases"]
    for case in cases:
        depends_on = case["depends_on"]
        names = dict.fromkeys([*depends_on, *(n for group in depends_on.values() for n in group)])
        edges = [[name, other] for name, others in depends_on.items() for other in others]
        built = Built(list(names), edges)
        if case["kind"] == "cycle":
            # graphlib tells a cycle against the arrows, its first node again at the end.
            expected = rotated(case["expected_cycle_contains"][:0:-1])
            assert expected in {rotated(cycle) for cycle in built.cycles()}
            assert not built.graph.is_acyclic
        else:
            expected_groups = list(map(set, case["expected_generations_dependencies_first"]))
            assert [set(names_of(g)) for g in built.graph.generations()] == expected_groups
            assert built.graph.is_acyclic
    assert len(cases) == 9


# -- SQLAlchemy ------------------------------------------------------------------------------


def test_sqlalchemy(shared: Path) -> None:
    path = shared / "data/peer/sqlalchemy_topological_cases.json"
    cases = json.loads(path.read_text())["cases"]
    kinds: Counter[str] = Counter()
    for case in cases:
        # (parent, child): the parent is stored first, so the child depends on it.
        pairs = case["pairs_parent_child"]
        names = dict.fromkeys([*case["items"], *(name for pair in pairs for name in pair)])
        built = Built(list(names), pairs, backwards=True)
        cyclic = built.graph.cyclic_components()
        assert sets(map(names_of, cyclic)) == sets(case["networkx_scc_gt1_or_self"])
        expected = case["expected"]
        in_cycles = expected.get("nodes_in_cycles", expected.get("cycles", []))
        on_cycles = {name for cycle in built.cycles() for name in cycle}
        assert on_cycles == {name for component in cyclic for name in names_of(component)}
        assert on_cycles == set(in_cycles)
        if "an_order" in expected:
            assert built.graph.is_acyclic
            for found in (names_of(built.graph.get_topological_sort()), expected["an_order"]):
                place = {name: number for number, name in enumerate(found)}
                items = set(case["items"])
                assert all(place[a] < place[b] for a, b in pairs if {a, b} <= items)
            kinds["order"] += 1
        else:
            assert built.graph.status is ev.CycleStatus.CYCLE_DETECTED
            kinds["cycle"] += 1
    assert len(cases) == 14
    assert kinds == {"order": 7, "cycle": 7}


# -- real dependency graphs ------------------------------------------------------------------

REAL = (
    "cpython311_stdlib_imports",
    "debian12_depends",
    "jdk17_java_base_packages",
    "jupyterlab_npm_lock",
)


def lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


@pytest.mark.parametrize("name", REAL)
def test_real_graphs(shared: Path, name: str) -> None:
    """Components and generations, both ways, as networkx, igraph and scipy found them."""
    figures = json.loads((shared / "data/expected.json").read_text())["datasets"]
    path = f"graphs/{name}.edges.tsv.gz"
    [expected] = [item["expected"] for item in figures if item["path"] == path]
    nodes = lines(shared / f"data/graphs/{name}.nodes.txt.gz")
    edges = [line.split("\t") for line in lines(shared / "data" / path)]
    built = Built(nodes, edges)
    graph = built.graph
    assert len(graph) == expected["nodes"]
    assert len(graph.references) == expected["edges_distinct_incl_self"]
    assert graph.is_acyclic == expected["is_dag"]

    cyclic = graph.cyclic_components()
    sizes = sorted((len(component) for component in built.components()), reverse=True)
    assert len(sizes) == expected["scc_total"]
    assert sizes[:10] == expected["scc_top10"]
    assert sum(size > 1 for size in sizes) == expected["scc_gt1"] == len(cyclic)
    assert sum(map(len, cyclic)) == expected["nodes_in_cycles_scc_gt1"]
    largest = "\n".join(sorted(names_of(max(cyclic, key=len))))
    assert (
        hashlib.sha256(largest.encode()).hexdigest()
        == (expected["largest_scc_sha256_of_sorted_names"])
    )
    assert len(built.between_components()) == expected["condensation_edges"]

    # Theirs count components, ours lists entities: all members of a component together.
    assert components_by_generation(graph) == (expected["generation_sizes_dst_first(components)"])
    assert len(graph.generations()) == expected["generations_dst_first"]
    backwards = Built(nodes, edges, backwards=True).graph
    assert components_by_generation(backwards) == expected["generation_sizes_src_first"]
    assert len(backwards.generations()) == expected["generations_src_first"]

    place = {id(node): k for k, node in enumerate(graph.get_topological_sort())}
    late = {(id(r.source), id(r.target)) for r in graph.deferred}
    for source, target in built.edges:
        a, b = id(built.by_name[source]), id(built.by_name[target])
        assert place[b] < place[a] or (a, b) in late
    without_in, without_out = expected["sources_in0"], expected["sinks_out0"]
    assert sum(not node.to for node in graph.nodes) == without_out
    assert sum(not node.to for node in backwards.nodes) == without_in


def components_by_generation(graph: Graph) -> list[int]:
    """Return how many components every generation has."""
    number: dict[int, int] = {}
    for k, component in enumerate(graph.cyclic_components()):
        number.update((id(node), k) for node in component)
    sizes = []
    for generation in graph.generations():
        members: list[Vertex] = generation
        sizes.append(len({number.get(id(node), -id(node)) for node in members}))
    return sizes


def test_every_real_graph_is_here(shared: Path) -> None:
    found = {path.name.split(".")[0] for path in (shared / "data/graphs").glob("*.edges.tsv.gz")}
    assert found == set(REAL)
