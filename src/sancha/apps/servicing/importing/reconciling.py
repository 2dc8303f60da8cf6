"""对账：文件说的余额，与入了账的事实重放出来的，一笔一笔、一个成分一个成分地比。差异要么调整（两人），要么一直红着。"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from sancha.kernel.allocation import compound_owed, fee_owed, penalty_owed
from sancha.kernel.facts import Fact
from sancha.kernel.positions import classify
from sancha.kernel.replay import replay
from sancha.kernel.state import State
from sancha.kernel.terms import Terms

COMPONENT_NAMES: Mapping[str, str] = {
    "principal": "本金余额",
    "overdue_principal": "逾期本金",
    "interest_due": "欠息",
    "penalty": "罚息",
    "compound": "复利",
    "fee": "欠费",
    "overpayment": "溢缴款",
    "days_past_due": "逾期天数",
    "loan_class": "五级分类",
}
COUNTED = frozenset({"days_past_due", "loan_class"})
"""不是金额的成分：天数、分类。"""
ADJUSTABLE: Mapping[str, str] = {
    "principal": "principal",
    "interest_due": "interest",
    "penalty": "penalty",
    "compound": "compound",
    "fee": "fee",
    "overpayment": "overpayment",
}
"""能用调整事实消掉的差异；其余（逾期本金、天数、分类）是日期或计划的差异，须更正来源或重新转入。"""


def held_by(terms: Terms, state: State) -> dict[str, int]:
    """状态里的各成分（分；天数与分类是个数）。"""
    return {
        "principal": state.principal,
        # Money due today is not overdue yet in the register's sense; the register counts what fell due before.
        "overdue_principal": state.overdue_principal,
        "interest_due": state.interest_unpaid,
        "penalty": penalty_owed(terms, state),
        "compound": compound_owed(terms, state),
        "fee": fee_owed(state),
        "overpayment": state.overpayment,
        "days_past_due": state.days_past_due,
        "loan_class": classify(terms, state),
    }


def differences(
    terms: Terms, facts: list[Fact], *, as_of: date, last_seq: int, expected: Mapping[str, int]
) -> list[dict[str, int | str]]:
    """文件与重放之差：从头重放转入的事实到 ``as_of``，逐个成分比。"""
    held = held_by(terms, replay(terms, facts, on=as_of, known_seq=last_seq))
    return [
        {
            "component": component,
            "name": COMPONENT_NAMES[component],
            "file": said,
            "book": held[component],
            "difference": held[component] - said,
        }
        for component, said in expected.items()
        if held[component] != said
    ]
