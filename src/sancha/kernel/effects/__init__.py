"""事实的作用：每种事实怎样改变状态。事实是 *完全的*——任何事实在任何状态下都有定义，绝不抛错；
用不上的金额记入 ``state.unapplied``（按事实序号），由操作在登记之前决定要不要拒绝。

各种事实的 ``data`` 见 docs/algorithms/facts.md。
"""

from sancha.kernel.effects.applying import EFFECTS, apply
from sancha.kernel.effects.paying import BORROWER
from sancha.kernel.effects.settling import payoff_parts

__all__ = [
    "BORROWER",
    "EFFECTS",
    "apply",
    "payoff_parts",
]
