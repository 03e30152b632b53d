"""Graphs of any size in a folder, made by chance, and each question asked in a process of its own.

``python -m benchmarks.scale_graphs FOLDER QUESTION`` is what runs in those processes.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

import ecsviz as ev
from benchmarks.timing import Table
from benchmarks.workload import ROOT
from ecsviz.storage.scale import connected
from ecsviz.storage.scale.layout import ClassPart, GraphFile, ReferencePart

MEMORY = "2GB"
LARGEST = 200_000
"""How many messages the longest chat has."""
ROWS = 2**20
FEW = 1_000
"""Up to how many nodes it is a try, of two questions."""

THREAD, MESSAGE = "ChatThread", "ChatMessage"


def generated(folder: Path, size: int) -> Path:
    """Write the graph of chats of very different length, with so many messages."""
    chance = np.random.default_rng(7)
    sizes: Any = np.zeros(0, dtype=np.int64)
    while sizes.sum() < size:
        more = np.minimum(chance.pareto(1.2, 10_000) * 20 + 2, LARGEST).astype(np.int64)
        sizes = np.concatenate([sizes, more])
    ends = np.minimum(np.cumsum(sizes), size)
    sizes = np.diff(ends[: int(np.searchsorted(ends, size)) + 1], prepend=0)
    threads = len(sizes)
    classes = [
        ClassPart(THREAD, "ecsviz.domain.chat", 0, threads),
        ClassPart(MESSAGE, "ecsviz.domain.chat", threads, size),
    ]
    references = [
        ReferencePart(THREAD, "messages", MESSAGE, "inverse list", 0, 1),
        ReferencePart(MESSAGE, "thread", THREAD, "single", 2, 0),
        ReferencePart(MESSAGE, "parent", MESSAGE, "single", 1, 0),
        ReferencePart(MESSAGE, "children", MESSAGE, "inverse list", 0, 1),
    ]
    for part in classes:
        (folder / part.folder).mkdir(parents=True)
        schema = pa.schema([("node", pa.int64()), ("ecs_id", pa.binary(16))])
        with pq.ParquetWriter(folder / part.folder / "part-00000.parquet", schema) as writer:
            for start in range(0, part.rows, ROWS):
                count = min(ROWS, part.rows - start)
                ids = [None, pa.py_buffer(chance.bytes(16 * count))]
                nodes = pa.array(np.arange(start + 1, start + count + 1) + part.offset)
                arrays = [nodes, pa.Array.from_buffers(pa.binary(16), count, ids)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    long, text = pa.int64(), pa.string()
    names = ("source", "target", "field", "position", "key")
    schema = pa.schema(list(zip(names, (long, long, text, long, text), strict=True)))
    (folder / "references").mkdir()
    owner = np.repeat(np.arange(1, threads + 1, dtype=np.int32), sizes)
    first = np.repeat((np.cumsum(sizes) - sizes).astype(np.int32), sizes)
    with pq.ParquetWriter(folder / "references" / "part-00000.parquet", schema) as writer:
        for part, source, target, position in _ends(chance, references, owner, first, threads):
            count = len(source)
            part.rows += count
            arrays = [
                pa.array(source.astype(np.int64)),
                pa.array(target.astype(np.int64)),
                pa.repeat(pa.scalar(part.field, text), count),
                pa.array(position) if part.side else pa.nulls(count, long),
                pa.nulls(count, text),
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=2**17)
    GraphFile(1, classes, references).write(folder)
    return folder


def _ends(
    chance: Any, parts: list[ReferencePart], owner: Any, first: Any, threads: int
) -> Iterator[tuple[ReferencePart, Any, Any, Any]]:
    """Yield references, some at a time: every message answers one of the few before it."""
    for part in parts:
        for start in range(0, len(owner), ROWS):
            number = np.arange(start, min(start + ROWS, len(owner)))
            begin = first[number]
            place, node = number - begin, number + threads + 1
            if part.field == "messages":
                yield part, owner[number], node, place
            elif part.field == "thread":
                yield part, node, owner[number], place
            else:
                back = np.minimum(chance.geometric(0.7, len(number)), np.maximum(place, 1))
                there = place > 0
                ends = node[there], (node - back)[there]
                source, target = ends if part.field == "parent" else ends[::-1]
                yield part, source, target, np.zeros(len(source), dtype=np.int64)


def by_scipy(graph: Path) -> Any:
    """Return the strong components, from the references as int32."""
    table = ds.dataset(graph / "references").to_table(columns=["source", "target"])
    ends = [table[name].to_numpy().astype(np.int32) for name in ("source", "target")]
    n = int(max(end.max() for end in ends)) + 1
    matrix = csr_array((np.ones(len(ends[0]), dtype=np.int8), tuple(ends)), shape=(n, n))
    return connected_components(matrix, connection="strong")


def lazily(ask: Callable[[ev.LazyGraph], Any], **more: int) -> Callable[[Path], Any]:
    """Return what opens a folder and asks; with other figures of what takes how much in arrays."""

    def work(graph: Path) -> Any:
        for name, size in more.items():
            setattr(connected, name, size)
        with ev.scan_graph(graph, memory=MEMORY) as lazy:
            return ask(lazy)

    return work


TOO_MUCH = 2**40
"""Bytes of one thing, so that arrays hold none."""

QUESTIONS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "scipy: strong components of int32": (by_scipy, ""),
    "`in_cycle()`, by components in buckets": (
        lazily(lambda lazy: lazy.in_cycle(as_="relation"), EDGE=TOO_MUCH),
        "40 s",
    ),
    "`in_cycle()`, nothing in arrays but buckets": (
        lazily(lambda lazy: lazy.in_cycle(as_="relation"), NODE=TOO_MUCH),
        "",
    ),
    "`in_cycle()`, in arrays": (lazily(lambda lazy: lazy.in_cycle(as_="relation")), "12 s"),
    "`counts()`": (lazily(lambda lazy: lazy.counts()), "0.5 s"),
    "`degrees()`": (lazily(lambda lazy: lazy.degrees(as_="relation")), "7 s"),
    "`neighbourhood(node, 3)`": (lazily(lambda lazy: lazy.neighbourhood(2, 3)), "2 s"),
    "`components()`, in arrays": (lazily(lambda lazy: lazy.components(as_="relation")), ""),
    "`components()`, by the engine": (
        lazily(lambda lazy: lazy.components(as_="relation"), NODE=TOO_MUCH),
        "25 s",
    ),
}


def asked(graph: Path, questions: list[str]) -> Table:
    """Return what each question takes of the processor and of memory, in a process of its own."""
    records = []
    for question in questions:
        command = [sys.executable, "-m", "benchmarks.scale_graphs", str(graph), question]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
        records.append({"question": question, **json.loads(done.stdout)})
    rows = [
        [
            each["question"],
            f"{each['cpu']:.1f}",
            f"{each['seconds']:.1f}",
            f"{each['peak']:,}",
            QUESTIONS[each["question"]][1],
        ]
        for each in records
    ]
    counts = GraphFile.read(graph).counts
    title = f"A graph of {counts['nodes']:,} nodes and {counts['references']:,} references"
    columns = ["what", "CPU s", "s", "peak MiB", "goal on a quiet machine"]
    note = f"Each in a process of its own, memory={MEMORY}."
    return Table(f"{title}, made by chance", columns, rows, [note], records)


def main(graph: str, question: str) -> None:
    work, _ = QUESTIONS[question]
    cpu, start = time.process_time(), time.perf_counter()
    work(Path(graph))
    taken = {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - start}
    unit = 2**20 if sys.platform == "darwin" else 2**10  # of what ru_maxrss counts
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
    print(json.dumps({**taken, "peak": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
