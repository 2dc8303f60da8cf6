"""规则库与各应用共用的代码词：客户类别、担保方式等在这里定义；还款方式、计息基础等由内核定义，中文名在这里定。

一个词一个意思：凡是内核有的，一律用内核的，不另立一套。
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from sancha.kernel.dates import PeriodUnit
from sancha.kernel.daycount import DayCount
from sancha.kernel.money import Rounding
from sancha.kernel.terms import Compound, Future, Method, Roll


class Term(StrEnum):
    """带中文名的代码词。值是代码，``label`` 是给人看的中文。"""

    label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        """值与中文名一起定义，少了中文名不成；按值取用（``CustomerKind("FARMER")``）时只给值，不经这里。"""
        assert label, f"{cls.__name__}.{value} has no Chinese name"
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member


class CustomerKind(Term):
    """客户类别。"""

    PERSON = "PERSON", "自然人"
    HOUSEHOLD = "HOUSEHOLD", "家庭"
    SOLE_TRADER = "SOLE_TRADER", "个体工商户"
    FARMER = "FARMER", "农户"
    COMPANY = "COMPANY", "企业"
    GROUP = "GROUP", "联保小组"
    STUDENT = "STUDENT", "学生"


class GuaranteeKind(Term):
    """担保方式。"""

    UNSECURED = "UNSECURED", "信用"
    GUARANTEE = "GUARANTEE", "保证"
    MAX_GUARANTEE = "MAX_GUARANTEE", "最高额保证"
    JOINT_GUARANTEE = "JOINT_GUARANTEE", "联保"
    MORTGAGE = "MORTGAGE", "抵押"
    PLEDGE = "PLEDGE", "质押"


class DueDayRule(Term):
    """应还日：放款日对日（月末取月末），或每期固定一日。"""

    DISBURSEMENT_DAY = "DISBURSEMENT_DAY", "放款日对日"
    FIXED_DAY = "FIXED_DAY", "固定日"


class RepriceRule(Term):
    """重定价规则。"""

    NONE = "NONE", "合同期内不变"
    JANUARY_FIRST = "JANUARY_FIRST", "每年1月1日"
    ANNIVERSARY = "ANNIVERSARY", "放款日对年"
    EVERY_MONTHS = "EVERY_MONTHS", "每隔若干月"


class InterestPayer(Term):
    """利息由谁付。"""

    BORROWER = "BORROWER", "借款人"
    STATE = "STATE", "财政"


class PayerPhase(Term):
    """利息承担比例适用的阶段。"""

    WHOLE_TERM = "WHOLE_TERM", "全程"
    IN_SCHOOL = "IN_SCHOOL", "在校期间"
    AFTER_SCHOOL = "AFTER_SCHOOL", "毕业以后"


LABELS: Mapping[type[StrEnum], Mapping[str, str]] = MappingProxyType(
    {
        Method: {
            "BULLET": "一次性还本付息",
            "LEVEL_PAYMENT": "等额本息",
            "GRACE_LEVEL_PAYMENT": "阶段性等额本息",
            "INTEREST_FIRST": "按周期付息、到期一次还本",
            "INTEREST_WITH_PLAN": "按周期付息、按还本计划表还本",
            "LEVEL_PRINCIPAL": "等额本金",
            "FLAT_INTEREST": "平息（按原始本金计息）",
            "FLAT_FEE": "定额手续费",
        },
        PeriodUnit: {"DAY": "日", "WEEK": "周", "MONTH": "月", "QUARTER": "季", "HALF_YEAR": "半年", "YEAR": "年"},
        DayCount: {
            "MONTHLY": "对月（整月按月、零头按日÷360）",
            "ACT_360": "实际天数/360",
            "ACT_365": "实际天数/365",
            "ACT_ACT": "实际天数/实际天数",
            "THIRTY_360": "30/360",
        },
        Roll: {
            "NONE": "不顺延",
            "FOLLOWING": "顺延至下一工作日，计息不变",
            "FOLLOWING_ADJUSTED": "顺延至下一工作日，计息随之",
        },
        Rounding: {"HALF_UP": "四舍五入", "HALF_EVEN": "四舍六入五成双", "UP": "进位", "DOWN": "舍去"},
        Compound: {
            "NONE": "不计复利",
            "CONTRACT_THEN_PENALTY": "期内按合同利率，逾期后按罚息利率",
            "PENALTY": "一律按罚息利率",
        },
        Future: {"NEXT": "留作下期应还", "LAST": "提前还本，缩短期限", "REDUCE": "提前还本，减少每期"},
    }
)
COMPONENT_LABELS: Mapping[str, str] = MappingProxyType(
    {"fee": "费用", "penalty": "罚息", "compound": "复利", "interest": "利息", "principal": "本金"}
)


def label(member: StrEnum) -> str:
    """代码词的中文名；内核的代码词不带中文名，在这里补上。"""
    if isinstance(member, Term):
        return member.label
    return LABELS[type(member)][member.value]


def choices(kind: type[StrEnum]) -> list[tuple[str, str]]:
    """选项：（代码，中文名）列表，供表单与数据库选项使用。"""
    return [(member.value, label(member)) for member in kind]
