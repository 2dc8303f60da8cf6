"""借据、事实、状态投影、分户账。

借据 = 条款 + 事实；``LoanState`` 是那一折叠的结果，可由 ``replay`` 重建。日期列 ``*_day`` 是日序数（整数），
因为计提直线要在 SQLite 与 PostgreSQL 上用同一条整数公式相减。
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from sancha.kernel.positions import LIMIT
from sancha.kit.fen import FenField


class LoanStatus(models.TextChoices):
    """借据状态。"""

    PENDING = "PENDING", "待复核"
    ACTIVE = "ACTIVE", "存续"
    SETTLED = "SETTLED", "结清"
    WRITTEN_OFF = "WRITTEN_OFF", "已核销"
    VOID = "VOID", "作废"


class Loan(models.Model):
    """借据：账务单位。条款在复核放款时钉死，此后只有事实能改变它。"""

    number = models.CharField("借据号", max_length=40, unique=True)
    contract_number = models.CharField("合同号", max_length=60, blank=True)
    party = models.ForeignKey("parties.Party", on_delete=models.PROTECT, related_name="+")
    product = models.ForeignKey("products.Product", on_delete=models.PROTECT, related_name="+")
    product_version_id = models.BigIntegerField(null=True)
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    officer = models.ForeignKey("access.Person", null=True, on_delete=models.PROTECT, related_name="+")
    status = models.CharField("状态", max_length=12, choices=LoanStatus.choices, default=LoanStatus.PENDING)
    terms = models.JSONField("条款")
    principal_fen = FenField("借款金额")
    rate_ppm = models.IntegerField("年利率")
    method = models.CharField("还款方式", max_length=24)
    starts_on = models.DateField("起息日")
    matures_on = models.DateField("到期日")
    purpose = models.CharField("用途", max_length=200, blank=True)
    guarantee = models.CharField("担保方式", max_length=20, blank=True)
    guarantor = models.CharField("担保人或押品", max_length=200, blank=True)
    external_ref = models.CharField("外部编号", max_length=80, blank=True)
    booked_on = models.DateField("登记日")
    booked_by_id = models.BigIntegerField(null=True)
    authorized_by_id = models.BigIntegerField(null=True)
    settled_on = models.DateField("结清日", null=True)
    reprices_on = models.DateField("下次重定价日", null=True)

    class Meta:
        indexes = [
            models.Index(fields=["party"], name="servicing_loan_party"),
            models.Index(fields=["institution", "status", "-starts_on"], name="servicing_loan_list"),
            models.Index(fields=["officer", "status"], name="servicing_loan_officer"),
            models.Index(fields=["reprices_on"], name="servicing_loan_reprice", condition=Q(reprices_on__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["external_ref"], condition=~Q(external_ref=""), name="servicing_loan_external_once"
            )
        ]

    def __str__(self) -> str:
        return self.number


class LoanFact(models.Model):
    """事实：只追加。``seq`` 在借据内从 1 起无缺号。"""

    loan = models.ForeignKey(Loan, on_delete=models.PROTECT, related_name="facts")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    value_on = models.DateField("起息日")
    booked_on = models.DateField("记账日")
    amount_fen = FenField(default=0)
    data = models.JSONField(default=dict)
    recorded_at = models.DateTimeField()
    recorded_by_id = models.BigIntegerField(null=True)
    operation = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["loan", "seq"], name="servicing_fact_seq"),
            models.CheckConstraint(condition=Q(amount_fen__gte=0), name="servicing_fact_amount"),
            models.CheckConstraint(condition=Q(value_on__lte=F("booked_on")), name="servicing_fact_not_future"),
        ]
        indexes = [models.Index(fields=["booked_on", "kind"], name="servicing_fact_day")]


class LoanState(models.Model):
    """借据状态投影：``from_day`` 日开门的状态、四条计提直线、会计键与供筛选的余额。

    账上此刻的头寸 = ``base`` + 直线自 ``from_day`` 起的增量。它也是借据的日程：``next_day`` 是下一个事件日（ADR 0006）。
    """

    loan = models.OneToOneField(Loan, primary_key=True, on_delete=models.PROTECT, related_name="state")
    partition_id = models.BigIntegerField()
    from_day = models.IntegerField()
    next_day = models.BigIntegerField()
    # 会计键
    institution_id = models.BigIntegerField()
    product_id = models.BigIntegerField()
    loan_class = models.SmallIntegerField("五级分类", default=1)
    accrual = models.SmallIntegerField("应计状态", default=1)
    currency = models.CharField(max_length=3, default="CNY")
    # 计提直线：合同、第三方、罚息、复利
    c0 = models.BigIntegerField(default=0)
    s0 = models.BigIntegerField(default=0)
    d0 = models.BigIntegerField(default=1)
    c1 = models.BigIntegerField(default=0)
    s1 = models.BigIntegerField(default=0)
    d1 = models.BigIntegerField(default=1)
    c2 = models.BigIntegerField(default=0)
    s2 = models.BigIntegerField(default=0)
    d2 = models.BigIntegerField(default=1)
    c3 = models.BigIntegerField(default=0)
    s3 = models.BigIntegerField(default=0)
    d3 = models.BigIntegerField(default=1)
    base = models.JSONField(default=dict)
    state = models.TextField()
    last_seq = models.PositiveIntegerField(default=0)
    held = models.BooleanField("隔离", default=False)
    held_reason = models.TextField(blank=True)
    # 供列表与筛选的余额（from_day 日开门）
    principal_fen = FenField(default=0)
    overdue_principal_fen = FenField(default=0)
    interest_due_fen = FenField(default=0)
    charges_due_fen = FenField(default=0)
    overpayment_fen = FenField(default=0)
    oldest_due_day = models.IntegerField(null=True)
    next_due_day = models.IntegerField(null=True)
    installments_billed = models.PositiveIntegerField(default=0)
    installments_total = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["partition_id", "next_day"], name="servicing_state_agenda"),
            models.Index(
                fields=["oldest_due_day"], name="servicing_state_overdue", condition=Q(oldest_due_day__isnull=False)
            ),
            models.Index(fields=["next_due_day"], name="servicing_state_due", condition=Q(next_due_day__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(c0__lt=F("d0"), c1__lt=F("d1"), c2__lt=F("d2"), c3__lt=F("d3")), name="servicing_line_carry"
            ),
            models.CheckConstraint(
                # 2 × slope × 366 below 2^62, so that no database overflows (SQLite would turn into REAL silently).
                condition=Q(
                    s0__gte=0,
                    s0__lt=LIMIT // 732,
                    s1__gte=0,
                    s1__lt=LIMIT // 732,
                    s2__gte=0,
                    s2__lt=LIMIT // 732,
                    s3__gte=0,
                    s3__lt=LIMIT // 732,
                ),
                name="servicing_line_slope",
            ),
            models.CheckConstraint(
                # Then 2·(carry + slope·366) + den stays below 2^63 whatever the row, and nothing is divided by zero.
                condition=Q(
                    c0__gte=0,
                    d0__gt=0,
                    d0__lt=LIMIT // 4,
                    c1__gte=0,
                    d1__gt=0,
                    d1__lt=LIMIT // 4,
                    c2__gte=0,
                    d2__gt=0,
                    d2__lt=LIMIT // 4,
                    c3__gte=0,
                    d3__gt=0,
                    d3__lt=LIMIT // 4,
                ),
                name="servicing_line_den",
            ),
        ]


class Movement(models.Model):
    """分户账：一笔借据一次变动的各成分（借正贷负，合计为零）。日终逐日的直线增量不在此列，由推导重算。"""

    loan = models.ForeignKey(Loan, on_delete=models.PROTECT, related_name="movements")
    booked_on = models.DateField()
    fact_seq = models.PositiveIntegerField(null=True)
    voucher_id = models.BigIntegerField(null=True)
    position_code = models.CharField(max_length=24)
    institution_id = models.BigIntegerField()
    product_id = models.BigIntegerField()
    loan_class = models.SmallIntegerField()
    accrual = models.SmallIntegerField()
    currency = models.CharField(max_length=3, default="CNY")
    amount_fen = FenField()

    class Meta:
        indexes = [models.Index(fields=["loan", "booked_on", "id"], name="servicing_movement_loan")]


class AdjustmentState(models.TextChoices):
    """借据调整状态。"""

    PROPOSED = "PROPOSED", "待复核"
    RETURNED = "RETURNED", "已退回"
    BOOKED = "BOOKED", "已记账"
    WITHDRAWN = "WITHDRAWN", "已撤回"


class LoanAdjustment(models.Model):
    """借据调整：一人录入、另一人复核，复核通过才成为一条事实（``fact_seq``）。``revision`` 第几稿。"""

    loan = models.ForeignKey(Loan, on_delete=models.PROTECT, related_name="adjustments")
    component = models.CharField("成分", max_length=12)
    direction = models.CharField("方向", max_length=8)
    amount_fen = FenField()
    reason = models.CharField("理由", max_length=200)
    state = models.CharField(max_length=10, choices=AdjustmentState.choices, default=AdjustmentState.PROPOSED)
    revision = models.PositiveSmallIntegerField(default=1)
    entered_by_id = models.BigIntegerField(null=True)
    entered_on = models.DateField("录入日")
    entered_at = models.DateTimeField()
    decided_by_id = models.BigIntegerField(null=True)
    decided_on = models.DateField("复核日", null=True)
    opinion = models.CharField(max_length=200, blank=True)
    fact_seq = models.PositiveIntegerField(null=True)
    voucher_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["loan", "component"],
                condition=Q(state__in=["PROPOSED", "RETURNED"]),
                name="servicing_adjustment_open",
            ),
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="servicing_adjustment_positive"),
            models.CheckConstraint(
                condition=~Q(state="BOOKED") | Q(fact_seq__isnull=False), name="servicing_adjustment_booked"
            ),
        ]


class BatchStatus(models.TextChoices):
    """转入批次状态。"""

    STAGED = "STAGED", "已预检"
    COMMITTING = "COMMITTING", "转入中"
    DONE = "DONE", "已转入"
    INCOMPLETE = "INCOMPLETE", "未全部转入"
    CANCELLED = "CANCELLED", "已放弃"
    WITHDRAWING = "WITHDRAWING", "撤回中"
    WITHDRAWN = "WITHDRAWN", "已撤回"


class RowStatus(models.TextChoices):
    """转入行状态。"""

    READY = "READY", "可转入"
    ERROR = "ERROR", "有错误"
    SKIPPED = "SKIPPED", "不转入"
    IMPORTED = "IMPORTED", "已入账"
    FAILED = "FAILED", "入账失败"
    WITHDRAWN = "WITHDRAWN", "已撤出"


class ImportLayout(models.Model):
    """自存版式：表头怎样对上栏目。一存一版，旧版不改；批次里另有当时版式的全文。"""

    code = models.CharField(max_length=40)
    version = models.PositiveIntegerField(default=1)
    name = models.CharField("名称", max_length=60)
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    document = models.JSONField()
    saved_on = models.DateField()
    saved_by_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["code", "version"], name="servicing_layout_version")]


class ImportBatch(models.Model):
    """转入批次：一组文件、一份版式、一套选择。``digest`` 是文件内容的摘要，同样的文件认得出来。"""

    kind = models.CharField(max_length=12)  # PORTFOLIO 存量 · REPAYMENTS 批量还款
    status = models.CharField("状态", max_length=12, choices=BatchStatus.choices, default=BatchStatus.STAGED)
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    layout_code = models.CharField(max_length=40)
    layout = models.JSONField()
    options = models.JSONField()
    files = models.JSONField()
    digest = models.CharField(max_length=64)
    summary = models.JSONField(default=dict)
    staged_on = models.DateField()
    staged_at = models.DateTimeField()
    staged_by_id = models.BigIntegerField(null=True)
    committed_on = models.DateField(null=True)
    committed_by_id = models.BigIntegerField(null=True)
    finished_at = models.DateTimeField(null=True)
    differences_open = models.PositiveIntegerField("未处理的差异", null=True)

    class Meta:
        indexes = [models.Index(fields=["digest", "status"], name="servicing_batch_digest")]


class ImportRow(models.Model):
    """转入行：文件的一行。``cells`` 栏目 → 原文；``problems`` 每条有行号、栏目、值、规则、补救。"""

    batch = models.ForeignKey(ImportBatch, on_delete=models.PROTECT, related_name="rows")
    role = models.CharField(max_length=12)  # loan · installment · payment · customer
    file_no = models.PositiveSmallIntegerField()
    number = models.PositiveIntegerField("行号")
    ref = models.CharField("外部编号", max_length=80, blank=True)
    serial = models.CharField("流水号", max_length=80, blank=True)
    cells = models.JSONField()
    status = models.CharField("状态", max_length=12, choices=RowStatus.choices, default=RowStatus.READY)
    problems = models.JSONField(default=list)
    doubtful = models.BooleanField("存疑", default=False)
    loan_id = models.BigIntegerField(null=True)
    result = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["batch", "role", "ref"], name="servicing_importrow_ref"),
            models.Index(fields=["batch", "role", "status", "id"], name="servicing_importrow_todo"),
            models.Index(fields=["serial"], name="servicing_importrow_serial", condition=~Q(serial="")),
        ]
