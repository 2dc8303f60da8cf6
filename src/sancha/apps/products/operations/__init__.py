"""产品的写入：建产品；起草版本、停办与利率；复核发布。改产品就是发布新版本，旧版本一个字不动。"""

from sancha.apps.products.operations.catalog import create_product, install_samples
from sancha.apps.products.operations.drafting import propose_rate, propose_version, propose_withdrawal
from sancha.apps.products.operations.publishing import decide_draft

__all__ = [
    "create_product",
    "decide_draft",
    "install_samples",
    "propose_rate",
    "propose_version",
    "propose_withdrawal",
]
