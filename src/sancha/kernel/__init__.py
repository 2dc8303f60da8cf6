"""内核：小额贷款计算器。纯函数与纯数值——没有 Django、没有时钟、没有文件、没有网络，只有整数分。

一笔借据 = 合同条款 + 有日期的事实；状态、计划、余额、逾期天数、应收与原因，都由 ``replay`` 一次折叠得出。
用法::

    from sancha.kernel import Terms, Fact, replay, quote

见 docs/algorithms/。
"""

from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.positions import accrual_lines, positions
from sancha.kernel.quote import payoff
from sancha.kernel.replay import advance, project, replay
from sancha.kernel.state import Installment, State
from sancha.kernel.terms import Allocation, Terms

__all__ = [
    "Allocation",
    "Fact",
    "FactKind",
    "Installment",
    "State",
    "Terms",
    "accrual_lines",
    "advance",
    "payoff",
    "positions",
    "project",
    "replay",
]
