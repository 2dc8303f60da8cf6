"""产品、产品版本与利率价目：版本与价目只追加，改产品就是发布新版本。"""

from __future__ import annotations

from django.db import models

from sancha.kit.dated import DatedRecord
from sancha.rulebook.vocabulary import CustomerKind, choices


class Product(models.Model):
    """产品：代码、名称、所属方案、适用的客户类别。条款在 ``ProductVersion``。"""

    code = models.CharField("产品代码", max_length=40, unique=True)
    name = models.CharField("产品名称", max_length=60)
    program = models.CharField("所属方案", max_length=40)
    customer_kinds = models.JSONField("客户类别")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class ProductVersion(DatedRecord):
    """产品版本：自某日起的条款。``offered`` 为假即停办：已登记的借据不受影响，不再登记新的。

    ``terms`` 是 ``ProductTerms`` 的 JSON；``clauses`` 依据的条款代码；``authorized_by_id`` 复核人，与录入人不是同一人。
    """

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="versions")
    terms = models.JSONField("条款")
    clauses = models.JSONField("依据", default=list)
    offered = models.BooleanField("办理中", default=True)
    reason = models.CharField("变更说明", max_length=200, blank=True)
    authorized_by_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["product", "seq"], name="products_version_seq")]
        indexes = [models.Index(fields=["product", "valid_from", "seq"], name="products_version_on")]


class RateCard(DatedRecord):
    """利率价目：某机构（及其下级）某产品某类客户自某日起的执行利率，须在产品范围之内（POL-9）。

    固定利率产品写 ``rate_ppm``，LPR 产品写 ``spread_bp``，另一个为空；同一机构同一时间一个价。
    """

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="rates")
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    customer_kind = models.CharField("客户类别", max_length=20, choices=choices(CustomerKind))
    rate_ppm = models.BigIntegerField("年利率（ppm）", null=True)
    spread_bp = models.IntegerField("加点（bp）", null=True)
    reason = models.CharField("调整说明", max_length=200, blank=True)
    authorized_by_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "institution", "customer_kind", "seq"], name="products_rate_seq"
            ),
            models.CheckConstraint(
                condition=models.Q(rate_ppm__isnull=False, spread_bp__isnull=True)
                | models.Q(rate_ppm__isnull=True, spread_bp__isnull=False),
                name="products_rate_one_of",
            ),
        ]
        indexes = [models.Index(fields=["product", "customer_kind", "valid_from"], name="products_rate_on")]


class DraftKind(models.TextChoices):
    """修订稿种类。"""

    VERSION = "VERSION", "新版本"
    WITHDRAWAL = "WITHDRAWAL", "停办"
    RATE = "RATE", "利率价目"


class DraftState(models.TextChoices):
    """修订稿状态。"""

    OPEN = "OPEN", "待复核"
    PUBLISHED = "PUBLISHED", "已发布"
    RETURNED = "RETURNED", "已退回"


class ProductDraft(models.Model):
    """产品修订稿：起草人写的新版本、停办或利率，经另一人办结复核任务才发布。

    ``content`` 是种类所需的内容（条款、依据，或机构、客户类别与价格）；``base_seq`` 是起草时的现行版本，
    复核时版本已变的不能发布：复核人看到的差异须是真正的差异。
    """

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="drafts")
    kind = models.CharField(max_length=12, choices=DraftKind.choices)
    content = models.JSONField("内容")
    valid_from = models.DateField("起效日")
    base_seq = models.PositiveIntegerField("起草时的现行版本", default=0)
    reason = models.CharField("变更说明", max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=DraftState.choices, default=DraftState.OPEN)
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    drafted_by_id = models.BigIntegerField()
    booked_on = models.DateField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product"],
                condition=models.Q(state="OPEN", kind__in=["VERSION", "WITHDRAWAL"]),
                name="products_one_open_draft",
            ),
        ]
        indexes = [models.Index(fields=["product", "state"], name="products_draft_open")]
