"""版式：一组文件的表头怎样对上栏目。版式是数据（``layouts/*.yaml``，或用户自存的 ``ImportLayout``），不是代码。"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sancha.kernel.terms import Compound, Method
from sancha.kit.errors import DomainError, NotFound

Role = Literal["loan", "installment", "payment", "customer"]
CellType = Literal["text", "money", "percent", "fraction", "permille_month", "date", "integer", "code"]

MAIN_ROLES = ("loan", "installment", "payment", "customer")
ROLE_NAMES = {"loan": "借据", "installment": "还款计划", "payment": "还款", "customer": "客户"}

# 每种文件认得的栏目：字段 →（中文名, 缺省类型）。版式里写了别的字段就不装载。
FIELDS: Mapping[str, Mapping[str, tuple[str, CellType]]] = {
    "loan": {
        "ref": ("借据号", "text"), "number": ("借据号（本系统）", "text"), "contract_number": ("合同号", "text"),
        "customer_ref": ("客户编号", "text"),
        "customer_name": ("姓名", "text"), "id_kind": ("证件类型", "code"), "id_number": ("证件号", "text"), "customer_kind": ("客户类型", "code"),
        "phone": ("电话", "text"), "industry": ("行业", "text"), "institution": ("机构", "text"), "product": ("产品", "text"),
        "officer": ("信贷员", "text"),
        "purpose": ("用途", "text"), "guarantee": ("担保方式", "code"), "guarantor": ("担保人或押品", "text"), "amount_fen": ("金额", "money"),
        "rate_ppm": ("年利率", "percent"), "method": ("还款方式", "code"), "starts_on": ("放款日", "date"), "matures_on": ("到期日", "date"),
        "term_count": ("期限", "integer"), "first_due_on": ("首期应还日", "date"), "installment_fen": ("每期还款额", "money"),
        "total_due_fen": ("应还合计", "money"), "balance_fen": ("余额", "money"), "paid_principal_fen": ("已还本金", "money"),
        "overdue_days": ("逾期天数", "integer"), "overdue_principal_fen": ("逾期本金", "money"), "interest_due_fen": ("欠息", "money"),
        "off_interest_fen": ("表外息", "money"), "accrued_interest_fen": ("应计利息", "money"), "penalty_fen": ("罚息", "money"),
        "compound_fen": ("复利", "money"), "fee_fen": ("欠费", "money"), "overpayment_fen": ("溢缴款", "money"), "loan_class": ("五级分类", "code"),
        "status": ("状态", "code"), "settled_on": ("结清日", "date"), "currency": ("币种", "text"),
    },
    "installment": {
        "ref": ("借据号", "text"), "serial": ("期次", "text"), "due_on": ("应还日", "date"), "principal_fen": ("应还本", "money"),
        "interest_fen": ("应还息", "money"), "paid_fen": ("实还", "money"), "paid_on": ("实还日", "date"),
        "unpaid_principal_fen": ("剩余本金", "money"), "unpaid_interest_fen": ("剩余利息", "money"),
    },
    "payment": {
        "ref": ("借据号", "text"), "serial": ("流水号", "text"), "value_on": ("还款日", "date"), "amount_fen": ("金额", "money"),
        "channel": ("方式", "text"), "payer_name": ("付款人", "text"), "remark": ("备注", "text"),
    },
    "customer": {
        "ref": ("客户编号", "text"), "name": ("姓名", "text"), "kind": ("客户类型", "code"), "id_kind": ("证件类型", "code"),
        "id_number": ("证件号", "text"), "phone": ("电话", "text"), "address": ("地址", "text"), "industry_name": ("行业", "text"),
        "occupation": ("职业", "text"), "gender": ("性别", "text"), "birth": ("出生日期", "date"), "institution": ("机构", "text"),
    },
}  # fmt: skip

METHODS = {
    "等额本息": "LEVEL_PAYMENT", "阶段性等额本息": "GRACE_LEVEL_PAYMENT", "等额本金": "LEVEL_PRINCIPAL", "一次性还本付息": "BULLET",
    "利随本清": "BULLET",
    "按月付息到期还本": "INTEREST_FIRST", "按月结息到期还本": "INTEREST_FIRST", "先息后本": "INTEREST_FIRST",
    "按周期付息、到期一次还本": "INTEREST_FIRST",
    "按周期付息、按还本计划表还本": "INTEREST_WITH_PLAN", "平息（按原始本金计息）": "FLAT_INTEREST", "平息": "FLAT_INTEREST",
    "定额手续费": "FLAT_FEE",
}  # fmt: skip
CODES: Mapping[str, Mapping[str, str]] = {
    "method": METHODS | {method.value: method.value for method in Method},
    "loan_class": {
        "正常": "1", "关注": "2", "次级": "3", "可疑": "4", "损失": "5", **{str(grade): str(grade) for grade in range(1, 6)},
    },
    "guarantee": {
        "信用": "UNSECURED", "保证": "GUARANTEE", "最高额保证": "MAX_GUARANTEE", "联保": "JOINT_GUARANTEE", "抵押": "MORTGAGE", "质押": "PLEDGE",
    },
    "customer_kind": {
        "自然人": "PERSON", "个人": "PERSON", "家庭": "HOUSEHOLD", "个体工商户": "SOLE_TRADER", "农户": "FARMER", "企业": "COMPANY",
        "联保小组": "GROUP", "学生": "STUDENT",
    },
    "id_kind": {
        "身份证": "RESIDENT_ID", "居民身份证": "RESIDENT_ID", "临时居民身份证": "TEMPORARY_ID", "护照": "PASSPORT", "户口簿": "HOUSEHOLD_BOOK",
        "统一社会信用代码": "USCC", "营业执照": "BUSINESS_LICENSE", "其他": "OTHER", "其他证件": "OTHER",
    },
    "status": {
        "存续": "ACTIVE", "正常": "ACTIVE", "结清": "SETTLED", "已核销": "WRITTEN_OFF", "核销": "WRITTEN_OFF",
        **{name: name for name in ("ACTIVE", "LATE", "SETTLED", "NOT_LENT", "WRITTEN_OFF")},
    },
}  # fmt: skip
CODES = {**CODES, "kind": CODES["customer_kind"]}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class ColumnRule(_Strict):
    """一列：表头（可有别名）、字段、类型、日期写法、代码对照、金额单位。"""

    field: str
    titles: tuple[str, ...] = Field(min_length=1)
    type: CellType | None = None
    required: bool = False
    formats: tuple[str, ...] = ()
    codes: dict[str, str] = {}
    unit: Literal["yuan", "wan", "fen"] = "yuan"


class FileRule(_Strict):
    """一种文件：角色、列、可以略过的列、缺省值。``name_hint`` 用来从文件名认角色。"""

    role: Role
    name_hint: str = ""
    optional: bool = False
    columns: tuple[ColumnRule, ...] = Field(min_length=1)
    ignored: tuple[str, ...] = ()
    ignore_unknown: bool = False
    defaults: dict[str, str] = {}

    @model_validator(mode="after")
    def _known(self) -> FileRule:
        known = FIELDS[self.role]
        for name in (*(column.field for column in self.columns), *self.defaults):
            if name not in known:
                raise ValueError(f"{ROLE_NAMES[self.role]}文件没有栏目「{name}」；可用：{'、'.join(known)}")
        fields = [column.field for column in self.columns]
        if doubled := {name for name in fields if fields.count(name) > 1}:
            raise ValueError(f"栏目「{'、'.join(sorted(doubled))}」对上了两列")
        return self

    def type_of(self, column: ColumnRule) -> CellType:
        """列的类型：版式写了的，或栏目的缺省类型。"""
        return column.type or FIELDS[self.role][column.field][1]


class CustomerRule(_Strict):
    """文件里没有客户资料时怎样给借款人建档；``{ref}``、``{customer_ref}``、``{customer_tail}``（末六位）取自借据行。"""

    name: str
    kind: str = "PERSON"
    id_kind: str = "OTHER"
    id_number: str


class TermsRule(_Strict):
    """合同约定中文件没有写、又不取产品的：罚息倍数、复利、宽限、取整、期限单位。"""

    penalty_multiplier_ppm: int | None = None
    compound: Compound | None = None
    grace_days: int | None = None
    rounding: str | None = None
    period_unit: str = "MONTH"
    period_every: int = 1
    period_days: int = 0  # 期限以天计、每这么多天一期；期限不足的就是一期


class Layout(_Strict):
    """版式。``basis``：``HISTORY`` 有全部收付，``BALANCE`` 只有切换日的余额，``AUTO`` 逐笔看有没有计划与还款。"""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")
    name: str
    source: str = ""
    unsure: str = ""
    currency: str = Field(default="CNY", pattern=r"^[A-Z]{3}$")
    basis: Literal["HISTORY", "BALANCE", "AUTO"] = "AUTO"
    terms: TermsRule = TermsRule()
    customer: CustomerRule | None = None
    assumptions: tuple[str, ...] = ()
    settle_on_due_if_settled: bool = False
    keep_numbers: bool = False  # 借据号照用文件里的（合同上写着它），不另编
    files: tuple[FileRule, ...] = Field(min_length=1)

    def file_for(self, role: str) -> FileRule:
        """某角色的文件规则。

        :raises DomainError: 版式里没有这种文件。
        """
        for rule in self.files:
            if rule.role == role:
                return rule
        names = "、".join(f"{rule.role}（{ROLE_NAMES[rule.role]}）" for rule in self.files)
        raise DomainError(
            "ROLE_UNKNOWN",
            f"版式「{self.name}」没有「{role}」这种文件。",
            field="role",
            value=role,
            fix=f"可用：{names}。",
        )


def read_layout(document: Mapping[str, Any]) -> Layout:
    """校验一份版式。

    :raises DomainError: 栏目、类型或写法不对，指出哪一处。
    """
    try:
        return Layout.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "整体"
        raise DomainError(
            "LAYOUT_WRONG", f"版式「{place}」不成立：{first['msg'].removeprefix('Value error, ')}", field=f"layout.{place}",
            fix="请对照版式说明（docs/guides/import.md）更正。",
        ) from error  # fmt: skip


@cache
def built_in() -> dict[str, Layout]:
    """随系统带的版式，按代码。"""
    folder = resources.files("sancha.apps.servicing.importing") / "layouts"
    layouts = [
        read_layout(yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in sorted(folder.iterdir(), key=lambda item: item.name)
        if path.name.endswith(".yaml")
    ]
    return {layout.code: layout for layout in layouts}


def built_in_layout(code: str) -> Layout:
    """按代码取随带的版式。

    :raises NotFound: 没有。
    """
    found = built_in().get(code)
    if found is None:
        raise NotFound(
            "LAYOUT_NOT_FOUND",
            f"没有代码为「{code}」的版式。",
            field="layout",
            value=code,
            fix=f"随带的有：{'、'.join(built_in())}；或先保存自己的版式。",
        )
    return found


def plain_title(text: str) -> str:
    """表头归一：去空白、全角括号与斜线归半角、不分大小写。"""
    return re.sub(r"\s+", "", text).replace("（", "(").replace("）", ")").replace("／", "/").casefold()
