"""接口约定：每个端点的权限、请求栏目、必填项与响应栏目，存在 ``tests/golden/api_contract.json``。

可以添，不可以减、不可以改：外面的程序靠它。确要改约定时重录，连同变更说明一起提交::

    python -m tests.support.api_contract
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORD = Path(__file__).resolve().parents[1] / "golden" / "api_contract.json"
Contract = dict[str, dict[str, Any]]


def current() -> Contract:
    """现在的约定，由 OpenAPI 文档得出。"""
    from sancha.interfaces.api.site import document

    made = document()
    schemas = made["components"]["schemas"]
    contract: Contract = {}
    for path, methods in made["paths"].items():
        for method, item in methods.items():
            success = next(code for code in item["responses"] if code.startswith("2"))
            content = item["responses"][success].get("content", {})
            body = item.get("requestBody", {}).get("content", {})
            contract[f"{method.upper()} {path}"] = {
                "permission": item.get("x-permission", ""),
                "status": success,
                "parameters": {one["name"]: one.get("required", False) for one in item["parameters"]},
                "body": _fields(next(iter(body.values()), {}).get("schema", {}), schemas),
                "required": sorted(
                    _resolved(next(iter(body.values()), {}).get("schema", {}), schemas).get("required", [])
                ),
                "reply": _fields(next(iter(content.values()), {}).get("schema", {}), schemas),
            }
    return contract


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    while True:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
        elif schema.get("type") == "array" and "items" in schema:
            schema = schema["items"]
        else:
            return schema


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, str]:
    return {name: _kind(field) for name, field in _resolved(schema, schemas).get("properties", {}).items()}


def _kind(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"].rsplit("/", 1)[-1])
    if "anyOf" in field:
        return "|".join(sorted(_kind(one) for one in field["anyOf"]))
    return str(field.get("format") or field.get("type") or "any")


def broken(recorded: Contract, now: Contract) -> list[str]:
    """约定被破坏之处：端点没了、权限变了、栏目没了或换了类型、多了必填项。"""
    found = []
    for name, was in recorded.items():
        here = now.get(name)
        if here is None:
            found.append(f"{name}：没有了")
            continue
        for part in ("permission", "status"):
            if was[part] != here[part]:
                found.append(f"{name}：{part} 由 {was[part]} 变为 {here[part]}")
        for part in ("body", "reply"):
            for field, kind in was[part].items():
                if here[part].get(field) != kind:
                    found.append(f"{name}：{part}.{field} 由 {kind} 变为 {here[part].get(field, '没有')}")
        for field in was["parameters"]:
            if field not in here["parameters"]:
                found.append(f"{name}：参数 {field} 没有了")
        added = set(here["required"]) - set(was["required"])
        added |= {
            field for field, must in here["parameters"].items() if must and not was["parameters"].get(field, False)
        }
        found += [f"{name}：{field} 成了必填" for field in sorted(added)]
    return found


def main() -> None:
    """重录。"""
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sancha.config.settings")
    django.setup()
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(current(), ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
