"""接口约定：存下来的不许减、不许改，只许添；比对本身也试过咬不咬人。"""

from __future__ import annotations

import copy
import json

from tests.support.api_contract import RECORD, broken, current


def test_the_contract_only_grows() -> None:
    faults = broken(json.loads(RECORD.read_text(encoding="utf-8")), current())
    assert not faults, "外面的程序靠这些；确要改，写进变更说明并 python -m tests.support.api_contract\n" + "\n".join(
        faults
    )


def test_every_endpoint_is_recorded() -> None:
    missing = set(current()) - set(json.loads(RECORD.read_text(encoding="utf-8")))
    assert not missing, f"新端点没有录入约定，请运行 python -m tests.support.api_contract：{sorted(missing)}"


def test_the_comparison_bites() -> None:
    recorded = current()
    name = "POST /api/v1/loans/{loan_id}/repayments"
    for part, field in (("body", "amount"), ("reply", "voucher_id"), ("parameters", "Idempotency-Key")):
        changed = copy.deepcopy(recorded)
        del changed[name][part][field]
        assert broken(recorded, changed), part
    changed = copy.deepcopy(recorded)
    changed[name]["required"].append("remark")
    assert broken(recorded, changed) == [f"{name}：remark 成了必填"]
    changed = copy.deepcopy(recorded)
    changed[name]["body"]["amount"] = "number"
    changed[name]["permission"] = "servicing.view"
    assert len(broken(recorded, changed)) == 2
    assert broken(recorded, recorded | {"GET /api/v1/new": recorded[name]}) == []
    assert broken(recorded, {}) != []
