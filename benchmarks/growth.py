"""From a thousand entities to a million: time per entity, each size in a process of its own.

``python -m benchmarks.growth shape SIZE FOLDER REPEATS`` and ``… stored graph|references FILE`` are
what the processes run; they print what they found as JSON.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ecsviz as ev
from benchmarks import workload
from benchmarks.timing import Goal, Section, Table, counted, timed
from ecsviz.domain.walk import walk

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REFERENCE_SIZE = 10_000
"""What the time per entity of larger graphs is compared with."""
STEPS = ("walk", "cycles", "register", "get", "frames")
AGAIN = "cycles again"
"""Of a second graph of the same entities: its arrays find memory there, which for the first of a
large graph the system has still to hand over page by page."""
SHAPES: dict[str, tuple[str, Callable[[int], Any]]] = {
    "wide": ("a thread of {:,} messages", workload.chat),
    "chain": ("a chain of {:,}", workload.chain),
    "cycle": ("a cycle of {:,}", workload.cycle),
    "debian": ("Debian's packages, {:,}", workload.debian),
}
FROM_STORE = {"graph": "`store.graph()`", "references": "`store.references_frame()`"}
MEMORY = 8 << 30
"""What a process may take, in bytes: beyond it, it fails instead of the machine."""
GROWTH = 1.6


# -- in a process of its own -----------------------------------------------------------------


def peak() -> int:
    """Return the most memory that this process has had, in MiB.

    Linux starts the figure of `getrusage` with what the parent had; /proc tells this process alone.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = [x for x in status.read_text().splitlines() if x.startswith("VmHWM")]
        return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def find_cycles(graph: ev.EntityDependencyGraph) -> None:
    graph.cyclic_components()
    graph.get_cycles(limit=1, seconds=None)


def one_life(shape: str, size: int, path: Path) -> dict[str, Any]:
    """Make a graph, look at it, save it, load it; return seconds, statements and peaks."""
    _, make = SHAPES[shape]
    made = make(size)
    roots = made if isinstance(made, list) else [made]
    seconds, cpu, statements, peaks = {}, {}, {}, {"entities": peak()}

    def note(step: str, work: Callable[[], Any]) -> Any:
        with counted() as found:
            seconds[step], cpu[step], result = timed(work)
        statements[step], peaks[step] = len(found), peak()
        return result

    found = note("walk", lambda: walk(roots))
    size_found = {"entities": len(found), "references": len(found.sources)}
    del found
    for step in ("cycles", AGAIN):
        note(step, partial(find_cycles, ev.EntityDependencyGraph(roots)))
    store = ev.SQLAlchemyEntityStorage(path)
    note("register", lambda: store.register(roots))
    ids = [root.ecs_id for root in roots]
    classes = sorted({type(root) for root in roots}, key=lambda cls: cls.__name__)
    if shape == "wide":
        classes.append(workload.ChatMessage)
    store.engine.dispose()
    made = roots = None  # type: ignore[assignment]  # let go before the next are made
    store = ev.SQLAlchemyEntityStorage(path)
    again = note("get", lambda: store.get_many(ids))
    assert len(again) == len(ids)
    del again
    note("frames", lambda: [store.frame(cls) for cls in classes] + [store.references_frame()])
    store.engine.dispose()
    clocks = {"seconds": seconds, "cpu": cpu}
    return {**size_found, **clocks, "statements": statements, "peaks": peaks}


def lives(shape: str, size: int, folder: Path, repeats: int) -> dict[str, Any]:
    """Return the medians of several lives; the last one's file stays in the folder."""
    found = []
    path = folder / f"{shape}{size}.db"
    for _ in range(repeats):
        path.unlink(missing_ok=True)
        found.append(one_life(shape, size, path))
    first = found[0]  # later ones begin with the peak of those before
    for clock in ("seconds", "cpu"):
        medians = {s: statistics.median(life[clock][s] for life in found) for s in first[clock]}
        first = {**first, clock: medians}
    return {**first, "shape": shape, "size": size, "repeats": repeats}


def stored(what: str, path: Path) -> dict[str, Any]:
    """Read a whole store's graph, or references, without making the objects."""
    store = ev.SQLAlchemyEntityStorage(path)
    before = peak()
    seconds, _, result = timed(store.graph if what == "graph" else store.references_frame)
    return {"what": what, "seconds": seconds, "before": before, "peak": peak(), "n": len(result)}


# -- from outside ----------------------------------------------------------------------------


def in_a_process(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.growth", *map(str, arguments)]
    done = subprocess.run(command, cwd=workload.ROOT, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def repeats_of(size: int, repeats: int) -> int:
    """From 100,000 entities on three lives, which take long enough.

    Never one alone: the first of a process pays for memory that the others find there.
    """
    return min(repeats, 3) if size > 10_000 else repeats


def growth(folder: Path, sizes: list[int], repeats: int) -> Section:
    shapes = [shape for shape in SHAPES if shape != "debian" or workload.DEBIAN.is_file()]
    gaps = [] if "debian" in shapes else ["Debian's graph is not on this machine."]
    records, from_store = [], []
    for shape in shapes:
        for size in sizes:
            path = folder / f"{shape}{size}.db"
            try:
                records.append(in_a_process(shape, size, folder, repeats_of(size, repeats)))
                if shape == "wide" and size == sizes[-1]:
                    from_store += [in_a_process("stored", what, path) for what in FROM_STORE]
            except subprocess.CalledProcessError as error:
                why = error.stderr.strip().rpartition("\n")[2] or f"ended with {error.returncode}"
                gaps.append(f"**Failed**: {name_of(shape, size)}: {why}")
            path.unlink(missing_ok=True)
    tables = [growth_table(records, gaps), stored_table(from_store, sizes[-1])]
    return Section([], goals(records, from_store, shapes), tables)


def name_of(shape: str, size: int) -> str:
    return SHAPES[shape][0].format(size)


def per_entity(record: dict[str, Any], step: str) -> float:
    """Return microseconds an entity."""
    return float(record["seconds"][step]) / record["entities"] * 1e6


def growths(records: list[dict[str, Any]], step: str, clock: str = "seconds") -> dict[str, float]:
    """Return per shape the time per entity at the largest size, to that at ten thousand.

    Parts of Debian have fewer references an entity than the whole, so there it is per entity and
    reference; elsewhere that is the same.
    """
    result = {}
    for shape in SHAPES:
        of_shape = {r["size"]: r for r in records if r["shape"] == shape}
        if len(of_shape) > 1:
            small, large = (
                of_shape.get(REFERENCE_SIZE, of_shape[min(of_shape)]),
                of_shape[max(of_shape)],
            )
            each = [r[clock][step] / (r["entities"] + r["references"]) for r in (small, large)]
            result[shape] = each[1] / each[0]
    return result


def goals(
    records: list[dict[str, Any]], from_store: list[dict[str, Any]], shapes: list[str]
) -> list[Goal]:
    """Return what is asked at a million; what was not measured there is left open."""
    million = {record["shape"] for record in records if record["size"] >= SIZES[-1]}
    result = []
    for step in STEPS:
        text = f"{step}: time per entity at 1,000,000 to that at 10,000, largest of all shapes"
        largest = None
        if million >= set(shapes):
            found = growths(records, step)
            worst = max(found, key=lambda shape: found[shape])
            largest = found[worst]
            text += f" ({worst})"
        result.append(Goal(7, text, GROWTH, largest))
    peaks = {each["what"]: each["peak"] for each in from_store} if "wide" in million else {}
    for what, name in FROM_STORE.items():
        text = f"{name} of 1,000,000 messages: peak memory of its process"
        result.append(Goal(8, text, 1024, peaks.get(what), "MiB"))
    return result


def growth_table(records: list[dict[str, Any]], missing: list[str]) -> Table:
    rows = [
        [
            name_of(record["shape"], record["size"]),
            f"{record['references']:,}",
            *(f"{per_entity(record, step):.1f}" for step in STEPS),
            ", ".join(str(record["statements"][step]) for step in ("register", "get", "frames")),
            *(f"{record['peaks'][step]:,}" for step in ("entities", "register", "frames")),
        ]
        for record in records
    ]
    explained = (
        "`cycles` is components, order and one witness cycle, `cycles again` the same of a second"
        " graph, whose arrays find memory there; `frames` the frames of all classes and"
        " `references_frame()`. Statements: of register, get and frames. Peaks in MiB: once"
        " the entities are made, after register, and at the end."
    )
    notes = [explained, *missing]
    for step in (*STEPS, AGAIN):
        wall, cpu = (
            ", ".join(f"{shape} {x:.2f}" for shape, x in growths(records, step, clock).items())
            for clock in ("seconds", "cpu")
        )
        notes.append(f"{step}, an entity and reference, largest to 10,000 (×): {wall}; CPU: {cpu}.")
    columns = ["microseconds an entity", "references", *STEPS, "statements"]
    columns += ["entities, MiB", "register, MiB", "end, MiB"]
    return Table("Growth", columns, rows, notes, records)


def stored_table(records: list[dict[str, Any]], size: int) -> Table:
    columns = ["what", "nodes or references", "seconds"]
    columns += ["peak of the process, MiB", "of which new, MiB"]
    rows = []
    for each in records:
        peaks = [str(each["peak"]), str(each["peak"] - each["before"])]
        rows.append([each["what"], f"{each['n']:,}", f"{each['seconds']:.2f}", *peaks])
    title = f"A store of {size:,} messages, read without making objects"
    return Table(title, columns, rows, records=records)


def main(arguments: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    if arguments[0] == "stored":
        found = stored(arguments[1], Path(arguments[2]))
    else:
        shape, size, folder, repeats = arguments
        found = lives(shape, int(size), Path(folder), int(repeats))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
