"""Two accounts whose sum is nought, and every state that they go through, told by its number.

What a store holds after step n follows from n alone. So whoever looks at a file that somebody else
has left can tell which step it is at, and whether that one is whole.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from random import Random
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

import ecsviz as ev
from ecsviz.errors import InvalidArgumentError

LEDGER = UUID(int=1)
KEPT = 5
"""How many entries an account keeps; the oldest is let go."""


class Ledger(ev.Entity):
    left: Account | None = None
    right: Account | None = None
    step: int = 0


class Account(ev.Entity):
    name: str
    balance: int = 0
    entries: Annotated[list[Entry], ev.reference(inverse="account")] = Field(default_factory=list)
    newest: dict[str, Entry] = Field(default_factory=dict)


class Entry(ev.Entity):
    account: Account | None = None
    amount: int = 0
    text: str = ""
    against: Entry | None = None


class NotWholeError(Exception):
    """A store holds what no step has made."""


def target_of(chance: Random, file: Path, url: str | None) -> tuple[str, dict[str, Any]]:
    """Return where a store is, and its options: a file, or a schema of that name in a database."""
    if url is not None:
        return url, {"schema": file.stem}
    return str(file), {"journal": chance.choice(["delete", "wal"])}


def opened() -> Ledger:
    """Return the ledger before the first step."""
    ledger = Ledger(ecs_id=LEDGER)
    ledger.left, ledger.right = Account(name="left"), Account(name="right")
    return ledger


def go_on(ledger: Ledger) -> None:
    """Take one step: an entry in each account, the oldest away, the order turned round."""
    ledger.step = n = ledger.step + 1
    assert ledger.left is not None
    assert ledger.right is not None
    left = Entry(account=ledger.left, amount=n, text=text_of(n))
    right = Entry(account=ledger.right, amount=-n, text=text_of(n), against=left)
    left.against = right
    for account, entry in ((ledger.left, left), (ledger.right, right)):
        account.balance += entry.amount
        account.newest = {"entry": entry}
        if len(account.entries) == KEPT:
            account.entries.pop(
                account.entries.index(min(account.entries, key=_age))
            ).account = None
        account.entries.append(entry)
        account.entries.reverse()


def _age(entry: Entry) -> int:
    return abs(entry.amount)


def text_of(step: int) -> str:
    """Return what an entry says: of some steps more than a page of the file holds."""
    return f"step {step} " + "x" * (step % 7 * 1500)


def amounts(step: int) -> list[int]:
    """Return the amounts of the left account's entries after a step."""
    found: list[int] = []
    for n in range(1, step + 1):
        found = [a for a in found if a != n - KEPT]
        found = [*found, n][::-1]
    return found


def step_of(ledger: Any) -> int:
    """Return the step that a ledger is at.

    Raises
    ------
    NotWholeError
        If it is at none.
    """
    n, right = ledger.step, amounts(ledger.step)
    for account, sign in ((ledger.left, 1), (ledger.right, -1)):
        if [sign * entry.amount for entry in account.entries] != right:
            raise NotWholeError(f"step {n} has other entries: {account.entries}")
        if account.balance != sign * n * (n + 1) // 2:
            raise NotWholeError(f"step {n} has the balance {account.balance}")
        if n and account.newest["entry"] is not max(account.entries, key=_age):
            raise NotWholeError(f"step {n} has another newest entry")
        for entry in account.entries:
            if entry.text != text_of(abs(entry.amount)) or entry.account is not account:
                raise NotWholeError(f"step {n} has another entry: {entry}")
            if entry.against.against is not entry:
                raise NotWholeError(f"step {n} has an entry against none")
    return int(n)


def step_in(target: Path | str, **options: Any) -> int:
    """Return the step that a store is at, -1 before the first save, with all that it says checked.

    Raises
    ------
    NotWholeError
        If the present, the past and what `verify` says do not agree.
    """
    with ev.SQLAlchemyEntityStorage(target, timeout=20, **options) as store:
        problems = store.verify()
        if len(problems):
            raise NotWholeError(f"verify() says {problems.to_dict('records')[:3]}")
        if not store.has_entity(LEDGER):
            return -1
        n = step_of(store.get(LEDGER))
        revisions = list(store.revisions()["revision"])
        if revisions and revisions[-1] < n + 1:
            raise NotWholeError(f"step {n} with {revisions[-1]} revisions")
        for number in {1, n // 2 + 1, n + 1}:
            with contextlib.suppress(InvalidArgumentError):  # it has been pruned
                if (was := step_of(store.get(LEDGER, as_of=number))) != number - 1:
                    raise NotWholeError(f"revision {number} is step {was}")
    return n
