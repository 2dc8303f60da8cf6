"""敞口：客户名下的借款与他给的担保，由上层应用在 ``config/wiring`` 登记来源，``parties`` 不认识它们。"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class ExposureKind(StrEnum):
    """敞口的种类。"""

    LOAN = "LOAN"
    GUARANTEE = "GUARANTEE"


@dataclass(frozen=True, slots=True)
class Exposure:
    """一笔借款或担保。``party_id`` 是借款人或担保人；``closed_on`` 空为未了结；``overdue_days`` 历来逾期的天数，重叠的只算一次。

    ``number`` 借据号，拒绝时照它说话；``program`` 所属方案；``guarantee`` 这笔借款的担保方式。
    """

    party_id: int
    kind: ExposureKind
    number: str
    program: str
    guarantee: str
    opened_on: date
    closed_on: date | None
    principal_fen: int
    overdue_days: int


ExposureSource = Callable[[tuple[int, ...], date], list[Exposure]]
_sources: list[ExposureSource] = []


def register_exposure_source(source: ExposureSource) -> None:
    """登记来源：``source(客户编号, 日)`` 返回这些人的借款与担保，已了结的也在内。"""
    if source not in _sources:
        _sources.append(source)


def exposures_of(party_ids: Iterable[int], on: date) -> list[Exposure]:
    """这些人的全部借款与担保，跨方案、跨机构。"""
    ids = tuple(party_ids)
    return [item for source in _sources for item in source(ids, on)]
