"""The public surface as plain data: ``{name: what it is}``, and what a later one has lost of it.

``surface.json`` holds it as it was when the package was last moved about. A new name is added to
that file by hand, and one that is given up on purpose is taken out; it is not written anew.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import traitlets
from pydantic_core import PydanticUndefined

import ecsviz as ev
from ecsviz.cli import cli
from tests.frozen.classes import FrozenExhibit

MODULES = (
    "ecsviz",
    "ecsviz.chat",
    "ecsviz.draw",
    "ecsviz.errors",
    "ecsviz.export",
    "ecsviz.importers",
    "ecsviz.importers.database",
    "ecsviz.isomorphic",
    "ecsviz.samples",
    "ecsviz.widgets",
)
"""The modules that people import, those that documentation and notebooks name."""

# Methods whose `**options` are those of a function. Once they are written out, they are compared
# as any other parameter.
OPTIONS = {
    "ecsviz.ChatThread.draw_timeline": "ecsviz.draw.draw_timeline",
    "ecsviz.EntityDependencyGraph.draw": "ecsviz.draw.draw_graph",
    "ecsviz.EntityDependencyGraph.explore": "ecsviz.widgets.explore_graph",
    "ecsviz.EntityDependencyGraph.to_html": "ecsviz.draw.draw_graph",
    "ecsviz.EntityDependencyGraph.to_json": "ecsviz.export.to_json",
    "ecsviz.EntityDependencyGraph.to_mermaid": "ecsviz.export.to_mermaid",
    "ecsviz.GraphDiff.draw": "ecsviz.draw.draw_diff",
    "ecsviz.GraphDiff.to_html": "ecsviz.draw.draw_diff",
    "ecsviz.InMemoryEntityStorage.draw_lineage": "ecsviz.draw.draw_lineage",
    "ecsviz.InMemoryEntityStorage.draw_schema": "ecsviz.draw.draw_schema",
    "ecsviz.SQLAlchemyEntityStorage.draw_lineage": "ecsviz.draw.draw_lineage",
    "ecsviz.SQLAlchemyEntityStorage.draw_schema": "ecsviz.draw.draw_schema",
    "ecsviz.importers.database.Database.draw_schema": "ecsviz.draw.draw_schema",
}

MAGIC = {
    *("__bool__", "__contains__", "__enter__", "__eq__", "__exit__", "__getitem__", "__hash__"),
    *("__iter__", "__len__", "__repr__", "__str__", "_repr_html_", "_repr_mimebundle_"),
}

PLUMBING = {
    *("answers", "bundle", "drawn", "find_number", "inside", "model_config", "number_of"),
    *("still", "tell"),
}
"""Members without an underscore that only the package itself asks for: no promise."""


CHAT = b"""{"message_tree_id": "t", "prompt": {"message_id": "a", "role": "prompter",
"text": "Hi", "replies": [{"message_id": "b", "role": "assistant", "text": "Hello"}]}}"""


# -- the present surface ---------------------------------------------------------------------


def surface() -> dict[str, dict[str, Any]]:
    """Return every public name, and what it is."""
    found: dict[str, dict[str, Any]] = {}
    known: dict[int, str] = {}
    for name, thing in public_things():
        if callable(thing) and known.setdefault(id(thing), name) != name:
            found[name] = {"kind": f"the same as {known[id(thing)]}"}
        elif isinstance(thing, type):
            found[name] = entry_of_class(thing)
            for member, entry in members_of(thing):
                found.setdefault(f"{name}.{member}", entry)
        else:
            found[name] = entry_of(thing)
    for name, thing in returned_things():
        for member in dir(thing):
            owner = owner_of(type(thing), member)
            ours = owner is None or owner.__module__.startswith("ecsviz")
            if ours and (member in MAGIC or not member.startswith("_")):
                static = inspect.getattr_static(type(thing), member, None)
                found[f"{name} . {member}"] = entry_of(static)
    for name, thing in OPTIONS.items():
        function = importlib.import_module(thing.rpartition(".")[0])
        options = parameters_of(getattr(function, thing.rpartition(".")[2]))
        found[f"{name} options"] = {"options": {p[0]: p[2] for p in options if p[1] == "keyword"}}
    found.update(errors())
    found.update(commands())
    return dict(sorted(found.items()))


def public_things() -> Iterator[tuple[str, Any]]:
    for name in MODULES:
        module = importlib.import_module(name)
        names = getattr(module, "__all__", ("ChatMessage", "ChatThread"))
        for each in sorted(names):
            yield f"{name}.{each}", getattr(module, each)
    for each in ("draw", "export", "importers", "isomorphic", "samples"):
        yield f"ecsviz.{each}", getattr(ev, each)
    yield "ecsviz.cli.main", importlib.import_module("ecsviz.cli").main
    yield "ecsviz.__version__", ev.__version__


def returned_things() -> Iterator[tuple[str, Any]]:
    """Yield what public calls return whose classes have no public name."""
    thread = ev.sample("thread")
    graph = ev.EntityDependencyGraph(thread)
    store = ev.SQLAlchemyEntityStorage(":memory:")
    one, other = FrozenExhibit(label="one"), FrozenExhibit(label="other")
    one.beside, other.beside = other, one
    plan = store.explain(one)
    store.register(thread)
    before = store.get(thread.ecs_id)
    thread.title = "another"
    yield "what get_cycles() returns", graph.get_cycles()
    yield "what graph.references is", graph.references
    yield "what migrate() returns", store.migrate(dry_run=True)
    yield "what a GraphDiff holds", next(iter(ev.diff(before, thread)))
    yield "what plan.steps hold", plan.steps[0]
    yield "what read_chat() returns", ev.read_chat(CHAT)
    yield "what plan.deferred holds", plan.deferred[0]
    yield "what sql_model() returns", store.sql_model(ev.ChatThread)()
    yield "what an EcsvizError is", ev.EcsvizError("it failed")
    store.close()


def owner_of(cls: type, name: str) -> type | None:
    return next((base for base in cls.__mro__ if name in vars(base)), None)


def foreign(cls: Any) -> bool:
    return not cls.__module__.startswith("ecsviz")


def entry_of_class(cls: type) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": "class", "bases": foreign_bases(cls)}
    fields = getattr(cls, "model_fields", None)
    if fields:
        entry["fields"] = {
            name: [
                normal(str(field.annotation)),
                "factory" if field.default_factory else default_of(field.default),
            ]
            for name, field in sorted(fields.items())
        }
    elif not foreign(owner_of(cls, "__init__")) and not issubclass(cls, traitlets.HasTraits):
        entry["parameters"] = parameters_of(cls)
    return entry | examples_of(cls)


def foreign_bases(cls: type) -> list[str]:
    """Return the names of the bases that are not of ecsviz: what `isinstance` may ask for."""
    return sorted(
        base.__name__
        for base in cls.__mro__[1:]
        if base is not object and foreign(base) and not base.__name__.endswith(("Traits", "tors"))
    )


def members_of(cls: type) -> Iterator[tuple[str, dict[str, Any]]]:
    traits = cls.class_traits() if issubclass(cls, traitlets.HasTraits) else {}
    for name in sorted(dir(cls)):
        owner = owner_of(cls, name)
        if owner is None or foreign(owner) or name in PLUMBING:
            continue
        if issubclass(cls, ev.EcsvizError) and owner is ev.EcsvizError is not cls:
            continue
        if name in traits:
            if not name.startswith("_"):
                yield name, entry_of_trait(traits[name])
        elif not name.startswith("_") or name in MAGIC:
            yield name, entry_of(inspect.getattr_static(cls, name))


def entry_of_trait(trait: traitlets.TraitType[Any, Any]) -> dict[str, Any]:
    kind = next(c for c in type(trait).__mro__ if c.__module__.startswith("traitlets"))
    entry: dict[str, Any] = {
        "kind": "trait",
        "type": kind.__name__,
        "none": bool(trait.allow_none),
        "synced": bool(trait.metadata.get("sync")),
    }
    if isinstance(trait, traitlets.Enum):
        entry["values"] = list(trait.values or ())
    return entry


def entry_of(thing: Any) -> dict[str, Any]:
    if isinstance(thing, types.ModuleType):
        return {"kind": "module"}
    if isinstance(thing, property):
        return {"kind": "attribute"} | examples_of(thing)
    if isinstance(thing, (classmethod, staticmethod)):
        thing = thing.__func__
    if inspect.isfunction(thing) or inspect.isbuiltin(thing) or hasattr(thing, "__wrapped__"):
        text = returned(thing)
        return {"kind": "function", "parameters": parameters_of(thing), "returns": text} | (
            examples_of(thing)
        )
    entry: dict[str, Any] = {"kind": "attribute"}
    if isinstance(thing, int) and not isinstance(thing, bool):
        entry["value"] = thing
    return entry | examples_of(thing)


def returned(function: Any) -> str:
    annotation = inspect.signature(function).return_annotation
    return "" if annotation is inspect.Signature.empty else normal(annotation)


def parameters_of(function: Any) -> list[list[str]]:
    """Return name, kind, default ("" if there is none) and annotation of each parameter."""
    kinds = {
        inspect.Parameter.POSITIONAL_ONLY: "positional",
        inspect.Parameter.POSITIONAL_OR_KEYWORD: "either",
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.KEYWORD_ONLY: "keyword",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    return [
        [
            each.name,
            kinds[each.kind],
            default_of(each.default),
            "" if each.annotation is each.empty else normal(each.annotation),
        ]
        for each in inspect.signature(function).parameters.values()
        if each.name not in {"self", "cls"}
    ]


def default_of(value: Any) -> str:
    if value is inspect.Parameter.empty or value is PydanticUndefined:
        return ""
    if callable(value):
        return getattr(value, "__name__", "callable")
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def normal(annotation: Any) -> str:
    """Return an annotation without modules and marks of what is private."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"<(?:function|class) '?([\w.]+)'?[^>]*>", r"\1", text)
    text = re.sub(r"\(func=\w+\)", "", text)
    text = re.sub(r"ForwardRef\('([^']*)'[^)]*\)", r"\1", text)
    return re.sub(r"\b(?:\w+\.)+(?=\w)|\b_+(?=[A-Z])", "", text).strip("'\"")


def examples_of(thing: Any) -> dict[str, Any]:
    number = len(doctest.DocTestParser().get_examples(inspect.getdoc(thing) or ""))
    own = getattr(thing, "__doc__", None)
    return {"examples": number} if number and own else {}


def errors() -> dict[str, dict[str, Any]]:
    """Return every error and warning of ours by its name, and the facts that it is raised with."""
    package = Path(ev.__file__).parent
    for module in pkgutil.walk_packages([str(package)], "ecsviz."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    facts: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).rpartition(".")[2]
                names = {keyword.arg for keyword in node.keywords if keyword.arg}
                facts.setdefault(called, set()).update(names)
    found, todo = {}, [ev.EcsvizError, Warning]
    while todo:
        cls = todo.pop()
        todo += cls.__subclasses__()
        if cls.__module__.startswith("ecsviz"):
            stated = [vars(base).get("__annotations__", ()) for base in cls.__mro__]
            taken = inspect.signature(cls).parameters if issubclass(cls, ev.EcsvizError) else ()
            facts.setdefault(cls.__name__, set()).update(*stated, taken)
            found[f"error {cls.__name__}"] = {
                "bases": sorted(base.__name__ for base in cls.__mro__[1:-1]),
                "facts": sorted(facts[cls.__name__] - {"facts"}),
            }
    return found


def commands() -> dict[str, dict[str, Any]]:
    found = {}
    for name, command in {"": cli, **cli.commands}.items():
        options, arguments = {}, []
        for each in command.params:
            entry = {"required": each.required, "nargs": each.nargs, "multiple": each.multiple}
            entry["type"] = each.type.name
            if isinstance(each.type, click.Choice):
                entry["choices"] = sorted(map(str, each.type.choices))
            if isinstance(each, click.Argument):
                arguments.append(entry)
            else:
                entry["flag"] = bool(getattr(each, "is_flag", False))
                value = each.default
                entry["default"] = value if isinstance(value, (str, int, float, bool)) else None
                for option in (*each.opts, *each.secondary_opts):
                    options[option] = entry
        found[f"command {name}".strip()] = {"options": options, "arguments": arguments}
    return found


# -- what is lost ----------------------------------------------------------------------------


def lost(then: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """Return what was and is not any more, a sentence each; more may be there."""
    found = []
    for name, old in then.items():
        new = now.get(name)
        if new is None:
            found.append(f"{name} is gone")
        elif name.startswith("command"):
            found += lost_of_command(name, old, new)
        elif name.endswith(" options"):
            found += lost_options(name, old["options"], now)
        else:
            found += [f"{name}: {fault}" for fault in lost_of(old, new)]
    return found


def lost_of(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for key in ("kind", "type", "none", "synced", "value"):
        if key in old and old[key] != new.get(key):
            yield f"its {key} was {old[key]!r}, and is {new.get(key)!r}"
    for key in ("bases", "facts", "values"):
        for each in old.get(key, ()):
            if each not in new.get(key, ()):
                yield f"{each!r} is no more one of its {key}"
    for name, (annotation, default) in old.get("fields", {}).items():
        if name not in new.get("fields", {}):
            yield f"the field {name} is gone"
        elif new["fields"][name] != [annotation, default]:
            yield f"the field {name} was {[annotation, default]}, and is {new['fields'][name]}"
    if new.get("examples", 0) < old.get("examples", 0):
        yield f"it had {old['examples']} lines of examples, and has {new.get('examples', 0)}"
    if "returns" in old and not fits(new.get("returns", ""), old["returns"]):
        yield f"it returned {old['returns']}, and returns {new.get('returns')}"
    if "parameters" in old:
        yield from lost_parameters(old["parameters"], new.get("parameters", []))


def fits(narrow: str, wide: str) -> bool:
    """Tell whether each member of a union is one of another; anything is one of `Any`."""
    if wide in {"", "Any", narrow}:
        return True
    return set(members(narrow)) <= set(members(wide))


def members(union: str) -> list[str]:
    found, depth = [""], 0
    for character in union:
        depth += (character in "[(") - (character in "])")
        if character == "|" and not depth:
            found.append("")
        else:
            found[-1] += character
    return [each.strip() for each in found]


def lost_parameters(old: list[list[str]], new: list[list[str]]) -> Iterator[str]:
    present = {each[0]: each for each in new}
    known = {each[0] for each in old}
    places = [each[0] for each in new if each[1] in {"positional", "either"}]
    was = [each[0] for each in old if each[1] in {"positional", "either"}]
    if places[: len(was)] != was:
        yield f"by position it took {was}, and takes {places}"
    for name, kind, default, annotation in old:
        if kind == "**":
            continue  # written out, or still there: see OPTIONS
        if name not in present:
            yield f"the parameter {name} is gone"
            continue
        _, kind_now, default_now, annotation_now = present[name]
        if kind_now != kind and (kind, kind_now) not in {
            ("keyword", "either"),
            ("positional", "either"),
        }:
            yield f"the parameter {name} was {kind!r}, and is {kind_now!r}"
        if default and default_now != default:
            yield f"the default of {name} was {default}, and is {default_now or 'none'}"
        if annotation_now != "Any" and not fits(annotation, annotation_now) and annotation != "Any":
            yield f"the parameter {name} took {annotation}, and takes {annotation_now}"
    if any(each[1] == "**" for each in old) and not any(each[1] == "**" for each in new):
        known |= {each[0] for each in new if each[2]}
    for name, kind, default, _ in new:
        if name not in known and not default and kind not in {"*", "**"}:
            yield f"the parameter {name} is new and required"


def lost_options(name: str, old: dict[str, str], now: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the options that a method took for the function behind it, and takes no more."""
    method = name.removesuffix(" options")
    parameters = now.get(method, {}).get("parameters", [])
    takes = {each[0]: each[2] for each in parameters}
    if any(each[1] == "**" for each in parameters):
        takes = now.get(name, {}).get("options", {}) | takes
    for option, default in old.items():
        if option not in takes:
            yield f"{method}: the option {option} is gone"
        elif takes[option] != default:
            yield f"{method}: the default of {option} was {default}, and is {takes[option]}"


def lost_of_command(name: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    pairs = [(option, each, new["options"].get(option)) for option, each in old["options"].items()]
    for number, each in enumerate(old["arguments"], 1):
        there = new["arguments"][number - 1] if number <= len(new["arguments"]) else None
        pairs.append((f"argument {number}", each, there))
    for what, then, now in pairs:
        if now is None:
            yield f"{name}: {what} is gone"
            continue
        gone = sorted(
            set(then.get("choices", ())) - set(now.get("choices", then.get("choices", ())))
        )
        if gone:
            yield f"{name}: {what} takes no more {gone}"
        differs = [key for key in then if key != "choices" and then[key] != now.get(key)]
        if differs:
            yield f"{name}: {what} is not as it was: {differs}"
    for number in range(len(old["arguments"]), len(new["arguments"])):
        if new["arguments"][number]["required"]:
            yield f"{name}: argument {number + 1} is new and required"


# -- the files -------------------------------------------------------------------------------


def text_of(found: dict[str, dict[str, Any]]) -> str:
    """Return JSON with one line for each name."""
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def examples() -> dict[str, str]:
    """Return the examples of every public docstring, each only once."""
    found: dict[str, str] = {}
    for name, thing in public_things():
        whole = [(name, thing)]
        if isinstance(thing, type):
            ours = [m for m, _ in members_of(thing) if not m.startswith("_")]
            whole += [(f"{name}.{member}", getattr(thing, member)) for member in ours]
        for place, each in whole:
            if not callable(each):
                continue
            parts = doctest.DocTestParser().get_examples(inspect.getdoc(each) or "")
            lines = [">>> " + part.source.rstrip("\n").replace("\n", "\n... ") for part in parts]
            wanted = [part.want for part in parts]
            text = "".join(f"{a}\n{b}" for a, b in zip(lines, wanted, strict=True))
            if text and text not in found.values():
                found[place] = text
    return found


def write() -> None:
    """Write both files. Done once."""
    folder = Path(__file__).parent
    (folder / "surface.json").write_text(text_of(surface()), encoding="utf-8")
    text = "\n".join(f"== {name}\n{text}" for name, text in examples().items())
    (folder / "examples.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
