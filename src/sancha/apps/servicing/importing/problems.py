"""毛病：一行里的一处不妥——第几行、哪一栏、什么值、哪条规则、怎么改。"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ERROR, DOUBT, SKIP = "ERROR", "DOUBT", "SKIP"
SEVERITY_NAMES = {ERROR: "错误", DOUBT: "存疑", SKIP: "不转入"}

RULE_NAMES = {
    "COLUMN_UNKNOWN": "不认识的列", "REQUIRED_MISSING": "必填项为空", "DATE_WRONG": "日期写错", "MONEY_WRONG": "金额写错",
    "AMOUNT_NEGATIVE": "金额为负", "AMOUNT_ABSURD": "金额不合理", "RATE_WRONG": "利率写错", "RATE_ABSURD": "利率不合理", "INTEGER_WRONG": "不是整数",
    "CODE_UNKNOWN": "不认识的代码", "CELL_DOUBT": "单元格存疑", "REF_TOO_LONG": "借据号过长",
    "DUPLICATE_IN_FILE": "文件内重复", "ALREADY_IN_BOOK": "已在账",
    "LOAN_UNKNOWN": "没有这笔借据", "CUSTOMER_WRONG": "客户资料不对", "CUSTOMER_UNKNOWN": "没有这位客户", "PRODUCT_UNKNOWN": "没有这个产品",
    "INSTITUTION_UNKNOWN": "没有这个机构", "OFFICER_UNKNOWN": "没有这个信贷员", "START_IN_FUTURE": "放款日在未来",
    "MATURITY_BEFORE_START": "到期日不晚于放款日", "TERM_MISSING": "没有期限",
    "SCHEDULE_SUM": "计划本金合计不等于金额",
    "DUE_BEFORE_START": "应还日不晚于放款日", "DUPLICATE_DUE": "同日两期", "NO_SCHEDULE": "没有还款计划", "PAYMENT_BEFORE_START": "还款早于放款",
    "PAYMENT_IN_FUTURE": "还款日在未来", "PAID_DAY_MISSING": "没有实还日", "ABOVE_DEBT": "超过应还",
    "DUPLICATE_PAYMENT": "重复的还款", "NOT_LENT": "没有放款", "NOTHING_TO_OPEN": "没有余额",
    "BALANCE_MISSING": "没有余额栏", "BALANCE_ABOVE_AMOUNT": "余额超过金额",
    "BALANCE_MISMATCH": "余额与已还不平", "OVERDUE_ABOVE_BALANCE": "逾期本金超过余额", "OVERDUE_DAYS_MISSING": "逾期而没有天数",
    "MATURED_NOT_OVERDUE": "已到期而未列逾期", "LATE_WITHOUT_ARREARS": "状态逾期而没有逾期额", "INSTALLMENT_DIFFERS": "每期额与算得不符",
    "CLASS_BETTER_THAN_DAYS": "分类好于逾期天数", "STATUS_UNKNOWN": "状态不明", "WRITTEN_OFF": "已核销", "TERMS_INVALID": "条款不成立",
    "FAILED": "入账失败", "NOT_POSTED": "未入账",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """一处毛病。``severity``：``ERROR`` 不能转入，``DOUBT`` 认可后可转入，``SKIP`` 不转入也不碍事。"""

    severity: str
    code: str
    field: str
    value: str
    message: str
    fix: str

    def as_dict(self) -> dict[str, str]:
        """存成 JSON。"""
        return {
            "severity": self.severity, "code": self.code, "field": self.field, "value": self.value[:80], "message": self.message, "fix": self.fix,
        }  # fmt: skip


@dataclass(slots=True)
class Entry:
    """文件的一行：原文、读出的值、毛病。``row_id`` 是存下的行编号（还没存为 0）。"""

    role: str
    file_no: int
    number: int
    cells: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    row_id: int = 0

    @property
    def ref(self) -> str:
        """归属的借据（客户文件则是客户）编号。"""
        return str(self.values.get("ref") or self.cells.get("ref", ""))

    @property
    def serial(self) -> str:
        """流水号。"""
        return str(self.values.get("serial") or "")

    @property
    def has_error(self) -> bool:
        """有没有不能转入的错误。"""
        return any(problem.severity == ERROR for problem in self.problems)

    @property
    def is_skipped(self) -> bool:
        """是否不转入。"""
        return any(problem.severity == SKIP for problem in self.problems)

    def add(self, severity: str, code: str, field_name: str, value: object, message: str, fix: str) -> None:
        """记一处毛病。"""
        self.problems.append(Problem(severity, code, field_name, "" if value is None else str(value), message, fix))
