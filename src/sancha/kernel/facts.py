"""事实：借据上发生过的、有日期的、只追加的事。

``value_on`` 起息日（何时算数）；``booked_on`` 记账日（凭证的营业日）；``seq`` 借据内无缺号的序号。
当时所知（known_at）= ``booked_on ≤ 那天`` 或 ``seq ≤ n``。冲正也是事实，指向被冲的 ``seq``。
同一起息日内先按 ``rank`` 再按 ``seq``；rank 是算法的一部分，见 docs/algorithms/replay.md。
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any


class FactKind(StrEnum):
    """事实种类。"""

    __hash__ = str.__hash__  # Enum's own hash is a Python call, and every fact is looked up by kind.

    OPENING = "OPENING"  # 期初余额（切换日）
    PLAN_GIVEN = "PLAN_GIVEN"  # 照录还款计划
    CALENDAR = "CALENDAR"  # 节假日公布
    PAYER_SHARES = "PAYER_SHARES"  # 利息承担份额
    RATE_CHANGE = "RATE_CHANGE"  # 利率变更（含重定价）
    DISBURSEMENT = "DISBURSEMENT"  # 放款
    FEE = "FEE"  # 收费
    EXTENSION = "EXTENSION"  # 展期
    NEW_PLAN = "NEW_PLAN"  # 重订计划
    TRANSFER = "TRANSFER"  # 机构或产品划转
    CLASSIFICATION = "CLASSIFICATION"  # 五级分类认定
    ACCRUAL_STATUS = "ACCRUAL_STATUS"  # 应计与非应计认定
    MISUSE = "MISUSE"  # 挪用罚息
    RESTATEMENT = "RESTATEMENT"  # 重述（换计算版本）
    ADJUSTMENT = "ADJUSTMENT"  # 调整
    WAIVER = "WAIVER"  # 减免
    REPAYMENT = "REPAYMENT"  # 还款
    PREPAYMENT = "PREPAYMENT"  # 提前部分还本
    SETTLEMENT = "SETTLEMENT"  # 提前结清
    REFUND = "REFUND"  # 退还溢缴款
    ACCELERATION = "ACCELERATION"  # 宣布提前到期
    WRITE_OFF = "WRITE_OFF"  # 核销
    RECOVERY = "RECOVERY"  # 核销后收回
    REVERSAL = "REVERSAL"  # 冲正


RANK = {kind: rank for rank, kind in enumerate(FactKind)}


@dataclass(frozen=True, slots=True)
class Fact:
    """一条事实。金额是非负整数分；``data`` 的内容按种类见 docs/algorithms/facts.md。"""

    seq: int
    kind: FactKind
    value_on: date
    booked_on: date
    amount_fen: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[int, int, int]:
        """排序键：（起息日, 种类次序, 序号）。"""
        return self.value_on.toordinal(), RANK[self.kind], self.seq

    def as_document(self) -> dict[str, Any]:
        """JSON 字典。"""
        return {
            "seq": self.seq,
            "kind": str(self.kind),
            "value_on": self.value_on.isoformat(),
            "booked_on": self.booked_on.isoformat(),
            "amount_fen": self.amount_fen,
            "data": dict(self.data),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Fact:
        """从 JSON 字典读回；``booked_on`` 缺省等于起息日。"""
        value_on = date.fromisoformat(document["value_on"])
        booked_on = document.get("booked_on")
        return cls(
            seq=int(document["seq"]),
            kind=FactKind(document["kind"]),
            value_on=value_on,
            booked_on=date.fromisoformat(booked_on) if booked_on else value_on,
            amount_fen=int(document.get("amount_fen", 0)),
            data=dict(document.get("data", {})),
        )


def effective(
    facts: Iterable[Fact], *, on: date, known_at: date | None = None, known_seq: int | None = None
) -> list[Fact]:
    """生效的事实：当时所知、未被冲正、起息日不晚于 ``on``，按算法次序排好。

    冲正从后往前看：冲正本身若已被冲正，就不算数，被它冲的事实复活。
    """
    known = [
        fact
        for fact in facts
        if (known_at is None or fact.booked_on <= known_at) and (known_seq is None or fact.seq <= known_seq)
    ]
    reversals = [fact for fact in known if fact.kind is FactKind.REVERSAL]
    if reversals:
        dead: set[int] = set()
        for fact in sorted(reversals, key=lambda f: f.seq, reverse=True):
            if fact.seq not in dead:
                dead.add(int(fact.data["seq"]))
        known = [fact for fact in known if fact.kind is not FactKind.REVERSAL and fact.seq not in dead]
    known = [fact for fact in known if fact.value_on <= on]
    known.sort(key=lambda fact: fact.key)
    return known
