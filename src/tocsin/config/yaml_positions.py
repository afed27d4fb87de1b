"""YAML 1.2 (core schema) with the place of every key and value.

PyYAML reads YAML 1.1, where `no` is false, `22:30` is 1350 and a key may stand twice. So only its parser (libyaml) is used, and the values
are made here from its events: never too deep, never more nodes than a person writes, no tags, names once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tocsin.config.document import Document, Mark, Path
from tocsin.errors import Problem

MAX_DEPTH = 64
MAX_NODES = 500_000

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")


@dataclass(slots=True)
class _Node:
    """A value before aliases are followed: the same node may stand in several places."""

    mark: Mark
    scalar: Any = None
    items: list[_Node] | None = None
    pairs: list[tuple[str, Mark, _Node]] | None = None


class _StopError(Exception):
    """The rest of the file cannot be read."""

    def __init__(self, mark: Mark, message: str) -> None:
        self.mark = mark
        self.message = message


def read_yaml(text: str, file: str) -> Document:
    """Read one document. Never raises: what is wrong stands in `problems`."""
    document = Document(file, lines=text.splitlines())
    try:
        root = _Reader(text, document).read()
        if root is not None:
            document.value = _Expansion(document).expand(root, ())
    except _StopError as stop:
        document.problems.append(document.problem(stop.mark, stop.message))
    except yaml.YAMLError as error:
        document.problems.append(_translated(error, text, document))
    return document


class _Reader:
    """Makes nodes of events."""

    def __init__(self, text: str, document: Document) -> None:
        self._events: Iterator[Any] = _events(text)
        self._document = document
        self._anchors: dict[str, _Node] = {}

    def read(self) -> _Node | None:
        root: _Node | None = None
        for event in self._events:
            match event:
                case yaml.DocumentStartEvent():
                    if root is not None:
                        raise _StopError(
                            _mark(event), "a second document starts here (one document a file: leave out ---)"
                        )
                    root = self._node(next(self._events), 0)
                case _:
                    pass
        return root

    def _node(self, event: Any, depth: int) -> _Node:
        mark = _mark(event)
        if depth > MAX_DEPTH:
            raise _StopError(mark, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            return self._anchored(event.anchor, mark)
        if event.tag is not None:
            self._complain(mark, f"tags are not allowed here (leave out {event.tag})")
        node = self._content(event, mark, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _content(self, event: Any, mark: Mark, depth: int) -> _Node:
        match event:
            case yaml.ScalarEvent():
                return _Node(mark, scalar=_scalar(event.value) if mark.style == "" else event.value)
            case yaml.SequenceStartEvent():
                return _Node(mark, items=list(self._items(depth)))
            case _:
                return _Node(mark, pairs=list(self._pairs(depth)))

    def _items(self, depth: int) -> Iterator[_Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _pairs(self, depth: int) -> Iterator[tuple[str, Mark, _Node]]:
        seen: dict[str, Mark] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, mark = self._node(event, depth + 1), _mark(event)
            value = self._node(next(self._events), depth + 1)
            name = self._name(key, mark, event)
            if name is None:
                continue
            if name in seen:
                first = seen[name]
                self._complain(mark, f'"{name}" stands twice (first in line {first.line})')
                continue
            seen[name] = mark
            yield name, mark, value

    def _name(self, key: _Node, mark: Mark, event: Any) -> str | None:
        if isinstance(key.scalar, str):
            if key.scalar == "<<":
                self._complain(mark, "merge keys (<<) are not part of YAML 1.2 (use defaults.check)")
                return None
            return key.scalar
        written = getattr(event, "value", None)
        self._complain(mark, f'a key must be text (write "{written}" in quotes)' if written else "a key must be text")
        return None

    def _anchored(self, anchor: str | None, mark: Mark) -> _Node:
        if anchor is None or anchor not in self._anchors:
            raise _StopError(mark, f"*{anchor} points to nothing that stands complete before it")
        return self._anchors[anchor]

    def _complain(self, mark: Mark, message: str) -> None:
        self._document.problems.append(self._document.problem(mark, message))


def _events(text: str) -> Iterator[Any]:
    parser = _parser()(text)
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def _parser() -> Any:
    """libyaml's parser; the one in Python, ten times slower, where PyYAML was built without it."""
    try:
        from yaml import cyaml
    except ImportError:
        return yaml.Loader
    return vars(cyaml)["CParser"]


def _mark(event: Any) -> Mark:
    start = event.start_mark
    return Mark(start.line + 1, start.column + 1, getattr(event, "style", None) or "")


def _scalar(text: str) -> Any:
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return int(text, 8 if text[1:2] == "o" else 16 if text[1:2] == "x" else 10)
    return float(text) if _FLOAT.fullmatch(text) else text


class _Expansion:
    """Makes plain values of nodes, notes their places, and stops at a bomb of aliases."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._left = MAX_NODES

    def expand(self, node: _Node, path: Path) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _StopError(node.mark, f"aliases make more than {MAX_NODES} values of this file")
        if len(path) > MAX_DEPTH:
            raise _StopError(node.mark, f"nested more than {MAX_DEPTH} deep")
        self._document.values[path] = node.mark
        if node.items is not None:
            return [self.expand(item, (*path, at)) for at, item in enumerate(node.items)]
        if node.pairs is None:
            return node.scalar
        return {name: self._value(name, mark, value, path) for name, mark, value in node.pairs}

    def _value(self, name: str, mark: Mark, value: _Node, path: Path) -> Any:
        inner = (*path, name)
        self._document.keys[inner] = mark
        return self.expand(value, inner)


_HINTS: Mapping[str, str] = {
    # libyaml counts too, reads ahead, and may say so before the events reach us.
    "exceeded maximum nesting depth": f"nested more than {MAX_DEPTH} deep",
    "found character that cannot start any token": "a value cannot start like this (indent with blanks, not tabs; quote @ and `)",
    "mapping values are not allowed in this context": 'a second ":" in one line (quote the text, or start a new line)',
}


def _translated(error: yaml.YAMLError, text: str, document: Document) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        line = before.count("\n") + 1
        mark = Mark(line, error.position - (before.rfind("\n") + 1) + 1)
        return document.problem(mark, f"a control character (U+{ord(text[error.position]):04X}) is not allowed")
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = Mark(error.problem_mark.line + 1, error.problem_mark.column + 1)
        told = str(error.problem)
        where = f" {error.context}" if error.context else ""
        return document.problem(mark, _HINTS.get(told, f"not YAML: {told}{where}"))
    return document.problem(None, f"not YAML: {error}")
