"""From a thousand entities to a million: time per entity, each size in a process of its own.

``python -m benchmarks.growth shape SIZE FOLDER REPEATS`` and ``… stored graph|references FILE`` are
what the processes run; they print what they found as JSON.
"""

from __future__ import annotations

import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ecsviz as ev
from benchmarks import workload
from benchmarks.timing import Goal, Section, Table, counted
from ecsviz.domain.walk import walk

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REFERENCE_SIZE = 10_000
"""What the time per entity of larger graphs is compared with."""
STEPS = ("walk", "cycles", "register", "get", "frames")
AGAIN = "cycles again"
"""Of a second graph of the same entities: its arrays find memory there, which for the first of a
large graph the system has still to hand over page by page."""
SHAPES: dict[str, Callable[[int], Any]] = {
    "wide": workload.chat,
    "chain": workload.chain,
    "cycle": workload.cycle,
    "debian": workload.debian,
}
NAMES = {
    "wide": "a thread of {:,} messages",
    "chain": "a chain of {:,}",
    "cycle": "a cycle of {:,}",
    "debian": "Debian's packages, {:,}",
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


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return seconds on the wall, of this process' processor, and what the work returned."""
    gc.collect()
    cpu, start = time.process_time(), time.perf_counter()
    result = work()
    return time.perf_counter() - start, time.process_time() - cpu, result


def find_cycles_in(graph: ev.EntityDependencyGraph) -> Callable[[], None]:
    def work() -> None:
        graph.cyclic_components()
        graph.get_cycles(limit=1, seconds=None)

    return work


def one_life(shape: str, size: int, path: Path) -> dict[str, Any]:
    """Make a graph, look at it, save it, load it; return seconds, statements and peaks."""
    seconds, cpu, statements, peaks = {}, {}, {}, {}
    made = SHAPES[shape](size)
    roots = made if isinstance(made, list) else [made]
    peaks["entities"] = peak()

    def note(step: str, work: Callable[[], Any]) -> Any:
        with counted() as found:
            seconds[step], cpu[step], result = timed(work)
        statements[step], peaks[step] = len(found), peak()
        return result

    found = note("walk", lambda: walk(roots))
    size_found = {"entities": len(found), "references": len(found.sources)}
    del found
    for step in ("cycles", AGAIN):
        note(step, find_cycles_in(ev.EntityDependencyGraph(roots)))
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
    measured = {"seconds": seconds, "cpu": cpu, "statements": statements, "peaks": peaks}
    return {**size_found, **measured}


def lives(shape: str, size: int, folder: Path, repeats: int) -> dict[str, Any]:
    """Return the medians of several lives; the last one's file stays in the folder."""
    found = []
    path = folder / f"{shape}{size}.db"
    for _ in range(repeats):
        path.unlink(missing_ok=True)
        found.append(one_life(shape, size, path))
    first = found[0]  # later ones begin with the peak of those before
    medians = {
        clock: {
            step: statistics.median(life[clock][step] for life in found) for step in (*STEPS, AGAIN)
        }
        for clock in ("seconds", "cpu")
    }
    return {**first, **medians, "shape": shape, "size": size, "repeats": repeats}


def stored(what: str, path: Path) -> dict[str, Any]:
    """Read a whole store's graph, or references, without making the objects."""
    store = ev.SQLAlchemyEntityStorage(path)
    before = peak()
    seconds, _, result = timed(store.graph if what == "graph" else store.references_frame)
    return {"what": what, "seconds": seconds, "before": before, "peak": peak(), "n": len(result)}


# -- from outside ----------------------------------------------------------------------------


class ProcessFailedError(RuntimeError):
    """A process that measures failed; the others go on, and the gap is told."""


def in_a_process(*arguments: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.growth", *map(str, arguments)],
        cwd=workload.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ProcessFailedError(
            done.stderr.strip().rpartition("\n")[2] or f"ended with {done.returncode}"
        )
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
            except ProcessFailedError as error:
                gaps.append(f"**Failed**: {NAMES[shape].format(size)}: {error}")
            path.unlink(missing_ok=True)
    return Section(
        "growth",
        [],
        goals(records, from_store, shapes),
        [growth_table(records, gaps), stored_table(from_store, sizes[-1])],
    )


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
    rows = []
    for record in records:
        counts = record["statements"]
        rows.append(
            [
                NAMES[record["shape"]].format(record["size"]),
                f"{record['references']:,}",
                *(f"{per_entity(record, step):.1f}" for step in STEPS),
                f"{counts['register']}, {counts['get']}, {counts['frames']}",
                f"{record['peaks']['entities']:,}",
                f"{record['peaks']['register']:,}",
                f"{record['peaks']['frames']:,}",
            ]
        )
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


def stored_table(from_store: list[dict[str, Any]], size: int) -> Table:
    rows = [
        [
            each["what"],
            f"{each['n']:,}",
            f"{each['seconds']:.2f}",
            str(each["peak"]),
            str(each["peak"] - each["before"]),
        ]
        for each in from_store
    ]
    return Table(
        f"A store of {size:,} messages, read without making objects",
        ["what", "nodes or references", "seconds", "peak of the process, MiB", "of which new, MiB"],
        rows,
        [],
        from_store,
    )


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
