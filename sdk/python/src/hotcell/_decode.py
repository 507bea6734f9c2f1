"""JSON into dataclasses: the fields and their types are the schema. Unknown members are ignored, since services to come
may know more; a missing one, or one of the wrong type, is a BadAnswer."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from typing import Any, Dict, Literal, Tuple, Type, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import BadAnswer

T = TypeVar("T")


_known: Dict[Any, Tuple[Tuple[str, Any, bool], ...]] = {}


def _fields(cls: Any) -> Tuple[Tuple[str, Any, bool], ...]:
    if cls not in _known:
        hints = get_type_hints(cls)
        _known[cls] = tuple(
            (field.name, hints[field.name], field.default is dataclasses.MISSING) for field in dataclasses.fields(cls)
        )
    return _known[cls]


def decode(cls: Type[T], value: Any, at: str = "") -> T:
    if not isinstance(value, dict):
        raise BadAnswer(f"the answer's {at or 'body'} is not an object")
    members: Dict[str, Any] = {}
    for name, hint, required in _fields(cls):
        if name in value:
            members[name] = _value(hint, value[name], f"{at}.{name}")
        elif required:
            raise BadAnswer(f"the answer has no {at}.{name}")
    return cls(**members)


def _value(hint: Any, value: Any, at: str) -> Any:
    origin = get_origin(hint)
    if origin is Union:  # Optional
        return None if value is None else _value(get_args(hint)[0], value, at)
    if origin is Literal:
        return _value(str, value, at)  # a word that we do not know yet is still a word
    if origin is tuple:
        if not isinstance(value, list):
            raise BadAnswer(f"the answer's {at} is not a list")
        return tuple(_value(get_args(hint)[0], one, at) for one in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise BadAnswer(f"the answer's {at} is not an object")
        return {name: _value(get_args(hint)[1], one, at) for name, one in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return decode(hint, value, at)
    if hint is Any:
        return value
    if hint is datetime and isinstance(value, str):
        try:  # "2026-01-02T03:04:05.678Z"
            return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
        except ValueError:
            raise BadAnswer(f"the answer's {at} is no time") from None
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise BadAnswer(f"the answer's {at} is not of type {hint.__name__}")
    return value
