"""Small graphs for docs, tests and first steps: chats that ship with the package, and shapes."""

from ecsviz.importers.samples import (
    SAMPLE_FILES,
    SAMPLES,
    Node,
    SampleError,
    sample,
    sample_file,
)

__all__ = ["SAMPLES", "SAMPLE_FILES", "Node", "SampleError", "sample", "sample_file"]
