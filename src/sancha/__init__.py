"""三查 Sancha：贷前调查、贷时审查、贷后检查，一笔小额贷款的一生。"""

import sys

# House rule 4: asserts around money stay on.
if sys.flags.optimize:
    raise SystemExit("三查拒绝在 python -O 下运行：资金断言必须保持开启。请去掉 -O / PYTHONOPTIMIZE 后重试。")

__version__ = "0.1.0"
