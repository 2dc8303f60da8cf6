"""够用的 JSON Schema 核对器（2020-12 的一个子集），用来证明公布的格式与实际一致。遇到不认识的关键字就报错，不略过。"""

from __future__ import annotations

import re
from typing import Any

KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "format", "type", "enum", "const", "anyOf", "oneOf", "properties", "required",
    "additionalProperties", "items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "pattern",
}  # fmt: skip
TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None),
}  # fmt: skip


def problems(schema: dict[str, Any], value: Any, *, root: dict[str, Any] | None = None, at: str = "$") -> list[str]:
    """不合之处，空即相合。"""
    root = root or schema
    assert set(schema) <= KNOWN, f"{at}: 不认识的关键字 {set(schema) - KNOWN}"
    if reference := schema.get("$ref"):
        return problems(root["$defs"][reference.removeprefix("#/$defs/")], value, root=root, at=at)
    found: list[str] = []
    for word in ("anyOf", "oneOf"):
        if word in schema:
            tried = [problems(choice, value, root=root, at=at) for choice in schema[word]]
            good = sum(not errors for errors in tried)
            if good == 0 or (word == "oneOf" and good > 1):
                found.append(f"{at}: {word} 有 {good} 项相合；{min(tried, key=len)}")
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        return [*found, f"{at}: 须为 {kind}，得到 {value!r}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} 不在 {schema['enum']} 之中")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r} 不是 {schema['const']!r}")
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{at}: {value} 越界")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at}: {value!r} 不合 {schema['pattern']}")
    if isinstance(value, dict):
        found += _object(schema, value, root, at)
    if isinstance(value, list):
        found += _array(schema, value, root, at)
    return found


def _object(schema: dict[str, Any], value: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{at}: 缺 {name}" for name in schema.get("required", ()) if name not in value]
    for name, entry in value.items():
        if name in properties:
            found += problems(properties[name], entry, root=root, at=f"{at}.{name}")
        elif more is False:
            found.append(f"{at}: 多出 {name}")
        elif isinstance(more, dict):
            found += problems(more, entry, root=root, at=f"{at}.{name}")
    return found


def _array(schema: dict[str, Any], value: list[Any], root: dict[str, Any], at: str) -> list[str]:
    found = []
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        found.append(f"{at}: {len(value)} 项")
    first = schema.get("prefixItems", [])
    for index, entry in enumerate(value):
        rule = first[index] if index < len(first) else schema.get("items")
        if rule is not None:
            found += problems(rule, entry, root=root, at=f"{at}[{index}]")
    return found
