"""产品的任务种类：产品复核。"""

from sancha.apps.work.operations import second_check

PRODUCT_CHECK = second_check(
    "PRODUCT_CHECK",
    "产品复核",
    posts=("DEPARTMENT_HEAD", "GC_REVIEWER"),
    permission="products.authorize",
    approve="同意发布",
    rule="产品与利率的起草与复核须两人办理",
)
