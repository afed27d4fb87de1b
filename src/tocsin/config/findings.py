"""All that is wrong with a configuration, gathered so that it is told at once."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from tocsin.config.document import Path
from tocsin.config.words import suggestion
from tocsin.errors import ConfigurationError, Problem
from tocsin.expressions.errors import ExpressionError

M = TypeVar("M", bound=BaseModel)
NOTHING: Mapping[str, Any] = {}


class Places(Protocol):
    """Knows where the values of a configuration came from."""

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem: ...

    def problem_inside(self, path: Path, text: str, line: int, column: int, message: str) -> Problem: ...


class Findings:
    """Collects errors and warnings; `wrong` are the paths of errors, `refused` what lost a key that is not in this version."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []
        self.refused: set[Path] = set()
        self.wrong: set[Path] = set()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """All errors, in the order in which they stand in the files."""
        return tuple(_in_order(self._errors))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(_in_order(self._warnings))

    def add(self, problems: Iterable[Problem]) -> None:
        self._errors.extend(problems)

    def error(self, path: Path, message: str, *, at_key: bool = False) -> None:
        self.wrong.add(path)
        self._errors.append(self._places.problem(path, message, at_key=at_key))

    def warn(self, path: Path, message: str, *, at_key: bool = False) -> None:
        self._warnings.append(self._places.problem(path, message, at_key=at_key))

    def warn_of(self, problem: Problem) -> None:
        self._warnings.append(problem)

    def expression(self, path: Path, text: str, error: ExpressionError) -> None:
        """Note what is wrong inside a condition, at its own column."""
        for fault in error.faults:
            self._errors.append(self._places.problem_inside(path, text, fault.line, fault.column, fault.message))

    def raise_if_any(self) -> None:
        """Raise `ConfigurationError` with all errors."""
        if self._errors:
            raise ConfigurationError(self.errors)

    def validated(self, model: type[M], raw: Any, path: Path, *, stand_in: Mapping[str, Any] = NOTHING) -> M | None:
        """Return the model of a raw value. What is wrong is noted; the rest is returned without it, so that it is looked at too.

        `stand_in` holds values for required keys that are wrong or missing.
        """
        try:
            return model.model_validate(raw)
        except ValidationError as error:
            details = error.errors(include_url=False)
        for detail in details:
            self._detail(model, path, detail)
        try:
            rest = _without(raw, [detail["loc"] for detail in details])
            return model.model_validate({**stand_in, **rest} if isinstance(rest, dict) else rest)
        except ValidationError:
            return None

    def _detail(self, model: type[BaseModel], path: Path, detail: Any) -> None:
        inner = tuple(step for step in detail["loc"] if step != "[key]")
        at, kind = (*path, *inner), detail["type"]
        if kind == "missing":
            self.error(at[:-1], f'"{at[-1]}" is missing{_described(model, inner)}', at_key=True)
        elif kind == "extra_forbidden":
            known = _fields(model, inner[:-1])
            self.error(at, f'unknown key "{at[-1]}"{suggestion(str(at[-1]), known)}', at_key=True)
        else:
            is_key = "[key]" in detail["loc"] or detail["input"] is None
            self.error(at, f"{_name(at)}{_said(kind, detail)}", at_key=is_key)


def _without(raw: Any, wrong: Iterable[tuple[int | str, ...]]) -> Any:
    """Leave out what is wrong; where that is part of a list, the whole list, so that its other items keep their places."""
    rest = copy.deepcopy(raw)
    for location in wrong:
        inner = rest
        for step, following in pairwise((*location, 0)):
            if not isinstance(inner, dict) or step not in inner:
                break
            if not isinstance(inner[step], dict) or not isinstance(following, str) or following == "[key]":
                del inner[step]
                break
            inner = inner[step]
    return rest


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line, problem.column))


def _name(path: Path) -> str:
    """The key that a message is about: the nearest one that is not a place in a list."""
    key = next((step for step in reversed(path) if isinstance(step, str)), "")
    return f"{key}: " if key else ""


_PLAIN = {
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "int_type": "must be a whole number",
    "too_short": "must not be empty",
}


def _said(kind: str, detail: Any) -> str:
    value, context = detail["input"], detail.get("ctx", {})
    if value is None:
        return "has no value"
    match kind:
        case "value_error":
            return str(context["error"])
        case "string_type":
            return f'must be text (write "{value}" in quotes)' if isinstance(value, int | float) else "must be text"
        case "literal_error":
            return f'"{value}" must be {context["expected"]}'
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case _:
            return _PLAIN.get(kind, str(detail["msg"]))


def _described(model: type[BaseModel], inner: Path) -> str:
    """What a missing key would hold, out of the model."""
    parent = _model_at(model, inner[:-1])
    fields = {field.alias or name: field for name, field in parent.model_fields.items()} if parent else {}
    field = fields.get(str(inner[-1]))
    return f" ({field.description})" if field and field.description else ""


def _fields(model: type[BaseModel], inner: Path) -> list[str]:
    parent = _model_at(model, inner)
    return [field.alias or name for name, field in parent.model_fields.items()] if parent else []


def _model_at(model: type[BaseModel], inner: Path) -> type[BaseModel] | None:
    """Follow a path of keys through nested models."""
    current: type[BaseModel] | None = model
    for step in inner:
        field = current.model_fields.get(str(step)) if current else None
        current = next((part for part in _parts(field.annotation) if _is_model(part)), None) if field else None
    return current


def _parts(annotation: Any) -> list[Any]:
    return [annotation, *getattr(annotation, "__args__", ())]


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)
