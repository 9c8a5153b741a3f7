"""What a new schema would break for those who wrote or read by the old one. Pure.

Within a major version only optional fields are added (D13): everything else that changes what is valid, or what it
means, is named. Texts (titles, descriptions) may change freely.
"""

from collections.abc import Iterator
from typing import Any, Final

Schema = dict[str, Any]

_LIMITS: Final = (
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
)


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Sentences that name each incompatible change, by field; empty when the new schema only gained optional fields."""
    found = [
        f"{key} changed from {old.get(key)} to {new.get(key)}"
        for key in ("$id", "x-partition-key")
        if old.get(key) != new.get(key)
    ]
    return [*found, *_compare(old, new, old, new, "data")]


def _compare(old: Schema, new: Schema, old_root: Schema, new_root: Schema, where: str) -> Iterator[str]:
    if old.get("x-personal") and not new.get("x-personal"):
        yield f"{where} is no longer marked personal"
    if "default" in old and old["default"] != new.get("default"):
        yield f"{where} has another default"
    before, after = _variants(old, old_root), _variants(new, new_root)
    for kind in before.keys() - after.keys():
        yield f"{where} may no longer be {kind}"
    for kind in after.keys() - before.keys():
        yield f"{where} may now be {kind}"
    for kind in sorted(before.keys() & after.keys()):
        yield from _compare_kind(before[kind], after[kind], old_root, new_root, where)


def _compare_kind(old: Schema, new: Schema, old_root: Schema, new_root: Schema, where: str) -> Iterator[str]:
    before, after = _values(old), _values(new)
    if before is not None and after is not None:
        for value in (value for value in before if value not in after):
            yield f"{where} may no longer be {value!r}"
        for value in (value for value in after if value not in before and not old.get("x-extensible-enum")):
            yield f"{where} may now be {value!r}"
    elif before != after:
        yield f"{where} is {'no longer' if after is None else 'now'} limited to a list of values"
    for limit in _LIMITS:
        if old.get(limit) != new.get(limit):
            yield f"{where} has another {limit}"
    yield from _compare_properties(old, new, old_root, new_root, where)
    for part in ("items", "additionalProperties"):
        one, two = old.get(part, True), new.get(part, True)
        if isinstance(one, dict) and isinstance(two, dict):
            yield from _compare(one, two, old_root, new_root, f"{where}[]" if part == "items" else f"{where}.*")
        elif one != two:
            yield f"{where} has other {part}"


def _compare_properties(old: Schema, new: Schema, old_root: Schema, new_root: Schema, where: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
    for name in before:
        if name not in after:
            yield f"{where}.{name} is gone"
            continue
        if name in needed_after - needed_before:
            yield f"{where}.{name} became required"
        if name in needed_before - needed_after:
            yield f"{where}.{name} is no longer required"
        yield from _compare(before[name], after[name], old_root, new_root, f"{where}.{name}")
    for name in sorted(needed_after - before.keys()):
        yield f"{where}.{name} is new and required"


def _variants(schema: Schema, root: Schema) -> dict[str, Schema]:
    """What a value may be, by kind: `text`, `integer`, `null`, … with its format where it has one."""
    if "$ref" in schema:
        return _variants(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in schema:
        return {kind: part for option in schema["anyOf"] for kind, part in _variants(option, root).items()}
    kinds = schema.get("type", "anything")
    found = schema.get("format")
    return {f"{kind} ({found})" if found else kind: schema for kind in ([kinds] if isinstance(kinds, str) else kinds)}


def _values(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")
