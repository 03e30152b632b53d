"""A part of a store's file is another: `repair` brings back what is held, and tells what is not."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import ecsviz as ev
from ecsviz.domain.walk import walk
from ecsviz.errors import EcsvizError
from tests.campaign.tally import Tally
from tests.test_verifying import Shelf, filled

PAGE = 512


def fields(entity: Any) -> list[tuple[str, str]]:
    """Return what an entity says, but for whom it holds."""
    state = entity.__dict__
    names = ("title", "label", "pages", "price", "data", "version")
    return [(name, repr(state[name])) for name in names if name in state]


def held(entity: Any) -> Any:
    """Return whom an entity holds, by their ids, in order."""
    found = []
    for name, value in entity.__dict__.items():
        every = list(value.values()) if isinstance(value, dict) else value
        every = every if isinstance(every, list) else [every]
        found += [(name, each.ecs_id) for each in every if isinstance(each, ev.Entity)]
    return found


def states(path: Path) -> tuple[dict[UUID, Any], set[tuple[UUID, str]]]:
    """Return what a sound store says of each entity, and all that it has ever said."""
    with ev.SQLAlchemyEntityStorage(path) as store:
        every: set[tuple[UUID, str]] = set()
        now: dict[UUID, Any] = {}
        for at in [*store.revisions()["revision"], None]:
            now = {e.ecs_id: e for e in walk(store.list_by_type(Shelf, as_of=at)).entities}
            every |= {(ecs_id, repr(fields(e))) for ecs_id, e in now.items()}
        return now, every


def damaged(whole: bytes, chance: Random) -> tuple[bytearray, str]:
    """Return a file of which a bit, several, or a page is another."""
    data, how = bytearray(whole), chance.choice(["a bit", "bits", "a page"])
    for _ in range({"a bit": 1, "bits": 6, "a page": 0}[how]):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    if how == "a page":
        start = chance.randrange(1, len(data) // PAGE) * PAGE
        data[start : start + PAGE] = chance.choice([bytes(PAGE), chance.randbytes(PAGE)])
    return data, how


def run(seed: int, folder: Path, *, times: int = 30, broken: bool = False) -> Tally:
    """Damage a store again and again, and repair each.

    Parameters
    ----------
    times
        How often.
    broken
        What `repair` tells is not heard.
    """
    chance, found = Random(seed), Tally()
    path, spoilt = folder / "store.db", folder / "damaged.db"
    filled(path)
    whole, (now, every) = path.read_bytes(), states(path)
    for number in range(times):
        data, how = damaged(whole, chance)
        spoilt.write_bytes(data)
        doubtful, found.tried = chance.random() < 0.5, found.tried + 1
        what = f"seed {seed}, number {number}, {how}"
        try:
            with ev.SQLAlchemyEntityStorage(spoilt) as store, ev.InMemoryEntityStorage() as new:
                told = store.repair(new, doubtful=doubtful)
                _look(new, told.iloc[:0] if broken else told, now, every, what, found)
                if doubtful and new.verify().size:
                    found.partial.append(f"{what}: verify() says {new.verify().iloc[0].tolist()}")
        except EcsvizError:
            continue  # not even the types can be read, and that is told
        except Exception as error:  # noqa: BLE001  # what is looked for
            found.partial.append(f"{what}: {type(error).__name__}: {error}"[:300])
    return found


def _look(
    new: Any,
    told: Any,
    now: dict[UUID, Any],
    every: set[tuple[UUID, str]],
    what: str,
    found: Tally,
) -> None:
    """Hold a repaired store against what the sound one said."""
    there = {entity.ecs_id: entity for entity in new.list_by_type(ev.Entity)}
    listed = {ecs_id: set(rows["what"]) for ecs_id, rows in told.groupby("ecs_id", dropna=True)}
    # Whose id cannot be read is told by its class, and that perhaps by another name.
    nobody = set(told[told["ecs_id"].isna()]["class"])
    unknown = bool(nobody - {"Shelf", "Book"})
    for ecs_id, right in now.items():
        if ecs_id not in there:
            if "gone" not in listed.get(ecs_id, ()) and not (
                unknown or type(right).__name__ in nobody
            ):
                found.lost.append(f"{what}: {right!r:.80} is not there, and not listed")
        elif ecs_id not in listed and fields(there[ecs_id]) != fields(right):
            found.silent.append(f"{what}: {right!r:.80} is {there[ecs_id]!r:.80}")
        elif ecs_id not in listed and held(there[ecs_id]) != held(right):
            # Who is as it was before stands in lists as it stood then.
            right_, now_ = (
                [each for each in held(e) if each[1] in there and each[1] not in listed]
                for e in (right, there[ecs_id])
            )
            if right_ != now_ and (not listed or sorted(right_) != sorted(now_)):
                found.silent.append(f"{what}: {right!r:.80} holds others")
    for ecs_id, entity in there.items():
        known = (ecs_id, repr(fields(entity))) in every
        if not known and "doubtful" not in listed.get(ecs_id, ()):
            found.silent.append(f"{what}: {entity!r:.80} was never stored")
