"""How many files of ecsviz a call enters: what somebody reads who follows it."""

from __future__ import annotations

import gc

from tests.entered import calls, files_entered

# Drawing reads how trees, crossings, names and colours are decided (`one_way`, `crossings`,
# `ranks`, `labels`, `palette`); exploring has rooms for what is picked, for
# its options, for the layouts one may choose (`choices`, `timed`), and for colours and sizes by any
# field.
MOST = {"register": 49, "get": 37, "draw": 38, "explore": 39}


def test_calls_enter_few_files() -> None:
    gc.collect()  # of a class that goes meanwhile, others would be described anew
    for call in calls().values():  # imports, and what is made once
        call()
    entered = {name: files_entered(call) for name, call in calls().items()}
    assert {name: len(files) for name, files in entered.items()} == MOST, (
        f"a smaller figure is written here, a larger one has a reason: {entered}"
    )


def test_the_count_sees_what_is_entered() -> None:
    entered = calls()["register"]
    files = files_entered(entered)
    assert files[0] == "storage/relational/store.py"
    assert "storage/relational/save/save.py" in files
