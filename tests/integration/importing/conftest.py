"""转入测试共用：配好的放贷环境、做表、送件的简写。"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from django.db import transaction

from sancha.apps.businessday import queries as businessday
from sancha.apps.servicing.importing import queries
from sancha.apps.servicing.importing.reading import SourceFile
from sancha.apps.servicing.operations import importing
from sancha.apps.servicing.operations.importing import checks
from sancha.apps.work.operations import submit_task
from sancha.kit.actor import Actor
from sancha.kit.numbering import next_numbers
from tests.support.factories_access import County, fresh_key, open_county
from tests.support.factories_loans import Lending, open_lending


@dataclass
class Desk:
    """转入台：操作人、授权人、机构与产品。"""

    lending: Lending
    actor: Actor
    second: Actor

    @property
    def on(self) -> date:
        """营业日。"""
        return businessday.group_date(group_id=self.lending.county.group_id)

    @property
    def group_id(self) -> int:
        """营业日组。"""
        return self.lending.county.group_id

    def stage(self, *files: SourceFile, layout: str = "sancha", **options: Any) -> dict[str, Any]:
        """送件预检。"""
        given = {
            "institution_id": self.lending.county.ids["S1"],
            "product_id": self.lending.product_id,
            "layout": layout,
        } | options
        return importing.stage_import(actor=self.actor, key=fresh_key("stage"), on=self.on, files=list(files), **given)

    def approve(
        self, batch_id: int, *, actor: Actor | None = None, on: date | None = None, **chosen: bool
    ) -> dict[str, Any]:
        """同意转入：第二人办复核任务。"""
        task_id = queries.batch_detail(actor=self.actor, batch_id=batch_id).task_id
        return self.submit(task_id, "APPROVED", actor=actor, on=on, data={"accept_doubts": True} | chosen)

    def submit(
        self,
        task_id: int | None,
        outcome: str,
        *,
        actor: Actor | None = None,
        on: date | None = None,
        **given: Any,
    ) -> dict[str, Any]:
        """第二人办一条任务。"""
        assert task_id is not None
        who, day = actor or self.second, on or self.on
        return submit_task(actor=who, key=fresh_key("task"), on=day, task_id=task_id, outcome=outcome, **given)

    def run(self, batch_id: int, **options: Any) -> dict[str, Any]:
        """后台做的事，就在这里做。"""
        return importing.run_import(actor=self.second, on=self.on, batch_id=batch_id, **options)

    def commit(
        self, batch_id: int, *, accept_doubts: bool = True, only_good: bool = False, **options: Any
    ) -> dict[str, Any]:
        """同意并转入；同意过的接着做。"""
        status = queries.batch_detail(actor=self.actor, batch_id=batch_id).row.status
        if status == "STAGED":
            self.approve(batch_id, accept_doubts=accept_doubts, only_good=only_good)
        elif status in {"COMMITTING", "INCOMPLETE"}:
            importing.resume_import(actor=self.second, key=fresh_key("resume"), on=self.on, batch_id=batch_id)
        return self.run(batch_id, **options)


def open_desk(county: County) -> Desk:
    """在县域银行上开转入台。"""
    lending = open_lending(county)
    with transaction.atomic():
        # The factory numbers its one customer by itself; the real sequence starts beyond it.
        next_numbers("parties.party", 1000)
    return Desk(lending, county.actor("BUSINESS_MANAGER"), county.actor("ACCOUNTING_SUPERVISOR"))


@pytest.fixture(autouse=True)
def no_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """不另起进程：做完由测试自己来（``Desk.run``）。"""
    monkeypatch.setattr(checks, "_runners", {})


@pytest.fixture
def desk(county: County) -> Desk:
    """转入台（业务管理岗转入，会计主管授权）。"""
    return open_desk(county)


@pytest.fixture
def committed_desk(transactional_db: None) -> Desk:
    """真的提交的库：杀掉重来的测试用。"""
    return open_desk(open_county())


def sheet(rows: Sequence[Mapping[str, object]], name: str = "文件.csv", role: str = "") -> SourceFile:
    """一张 csv 表。列取各行的并集，次序按出现先后。"""
    titles = list(dict.fromkeys(title for row in rows for title in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, titles, restval="")
    writer.writeheader()
    writer.writerows({title: str(value) for title, value in row.items()} for row in rows)
    return SourceFile(name, stream.getvalue().encode("utf-8-sig"), role)


WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def id_number(nth: int, birth: str = "19800101") -> str:
    """第 ``nth`` 个人的身份证号（校验位正确）。"""
    body = f"510822{birth}{nth:03d}"
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


def register_row(nth: int = 1, **changes: object) -> dict[str, object]:
    """贷款台账一行：2025-09-02 放款 12,000 元、12 期等额本息，年利率 14.4%；到切换日 2026-03-02 恰好过了 6 期。"""
    row: dict[str, object] = {
        "机构": "S1",
        "借据号": f"OLD{nth:04d}",
        "合同号": f"旧合同{nth}",
        "姓名": f"赵春{'一二三四五六七八九十'[nth % 10]}",
        "证件号": id_number(nth),
        "客户类型": "农户",
        "用途": "购买饲料",
        "金额": "12,000.00",
        "余额": "6,199.42",
        "利率": "14.4",
        "还款方式": "等额本息",
        "放款日": "2025-09-02",
        "到期日": "2026-09-02",
        "期限": "12",
        "担保方式": "保证",
        "五级分类": "正常",
        "逾期天数": "0",
        "逾期本金": "0",
        "欠息": "0",
    }
    return row | changes


def problems_of(batch_id: int, actor: Actor) -> list[tuple[int, str, str]]:
    """一批的毛病：（行号, 轻重, 规则代码），按行号。"""
    page = queries.batch_problems(actor=actor, batch_id=batch_id, size=500)
    return [(row["row"], item["severity"], item["code"]) for row in page.rows for item in row["problems"]]
