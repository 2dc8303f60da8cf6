"""总账的表：科目、科目对照、凭证、分录、日汇总、月末结存、会计期间、手工凭证草稿。

凭证与分录只追加：数据库触发器拒绝 UPDATE 与 DELETE（见 ``guards``），改错只能再记一张。
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from sancha.kit.dated import DatedRecord
from sancha.kit.fen import FenField


class Category(models.TextChoices):
    """科目类别。"""

    ASSET = "ASSET", "资产"
    LIABILITY = "LIABILITY", "负债"
    EQUITY = "EQUITY", "所有者权益"
    INCOME = "INCOME", "收入"
    EXPENSE = "EXPENSE", "费用"
    OFF_BALANCE = "OFF_BALANCE", "表外"


class Side(models.TextChoices):
    """正常余额方向。"""

    DEBIT = "DEBIT", "借"
    CREDIT = "CREDIT", "贷"


class Source(models.TextChoices):
    """凭证来源。前三种由借据的头寸推出，只有它们可用「头寸控制」科目（books.md F6）。"""

    SERVICING = "SERVICING", "借据业务"
    ACCRUAL = "ACCRUAL", "日终计提"
    OPENING = "OPENING", "期初"
    MANUAL = "MANUAL", "手工凭证"
    CASHDESK = "CASHDESK", "出纳"
    PROVISION = "PROVISION", "准备计提"
    CLOSING = "CLOSING", "期末结转"


POSITION_SOURCES = frozenset({Source.SERVICING.value, Source.ACCRUAL.value, Source.OPENING.value})


class ChartVersion(models.Model):
    """科目与对照的版本号（只有一行）。

    每次改动换一个随机令牌：进程内缓存以令牌为键，事务回滚后令牌也回去，不会用到没提交的科目。
    """

    token = models.CharField(max_length=32)


class Account(models.Model):
    """科目。``position_controlled`` 的科目余额等于借据头寸之和，手工凭证不得触碰。"""

    code = models.CharField("科目代号", max_length=20, unique=True)
    name = models.CharField("科目名称", max_length=60)
    category = models.CharField("类别", max_length=12, choices=Category.choices)
    normal_side = models.CharField("余额方向", max_length=6, choices=Side.choices)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    position_controlled = models.BooleanField("头寸控制", default=False)
    is_leaf = models.BooleanField("末级", default=True)
    role = models.CharField("用途", max_length=20, blank=True)  # see mapping.ROLES: suspense, retained profit …

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["role"], condition=~Q(role=""), name="ledger_account_role_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class AccountMapping(DatedRecord):
    """科目对照：头寸代码 × 产品 × 期限档 × 担保方式 → 科目。空为不限，最具体者胜；只追加。

    ``vat_ppm`` 是增值税率（百万分率，6% = 60000）；非零时该头寸的金额视为含税价，拆成净额与 ``vat_account``。
    """

    position_code = models.CharField(max_length=24)
    product_id = models.BigIntegerField(null=True, blank=True)
    term_band = models.CharField(max_length=12, blank=True)
    guarantee = models.CharField(max_length=20, blank=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    vat_ppm = models.IntegerField(default=0)
    vat_account = models.ForeignKey(Account, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["position_code", "valid_from"], name="ledger_mapping_code")]
        constraints = [
            models.CheckConstraint(
                condition=Q(vat_ppm__gte=0) & Q(vat_ppm__lt=1_000_000), name="ledger_mapping_vat_rate"
            ),
            models.CheckConstraint(
                condition=Q(vat_ppm=0, vat_account__isnull=True) | Q(vat_ppm__gt=0, vat_account__isnull=False),
                name="ledger_mapping_vat_account",
            ),
        ]


class Voucher(models.Model):
    """凭证：一组借贷相等的分录。记账即定，不改不删。

    ``booked_on`` 记账日（营业日）；``day`` 日终汇总凭证所计提的日子，``kernel_version`` 是当时的计算内核版本，
    二者供重算下钻。
    """

    booked_on = models.DateField("记账日")
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+", db_index=False)
    source = models.CharField("来源", max_length=10, choices=Source.choices)
    kind = models.CharField("种类", max_length=40)
    summary = models.CharField("摘要", max_length=200)
    subject = models.CharField("对象", max_length=60, blank=True)
    day = models.DateField("计提日", null=True)
    kernel_version = models.CharField(max_length=20, blank=True)
    posted_by = models.BigIntegerField("记账人", null=True)
    post_code = models.CharField("岗位", max_length=40)
    authorized_by = models.BigIntegerField("授权人", null=True)
    reverses = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="reversed_by")
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["institution", "booked_on", "id"], name="ledger_voucher_day"),
            models.Index(fields=["booked_on", "source"], name="ledger_voucher_source"),
            models.Index(fields=["subject", "id"], name="ledger_voucher_subject", condition=~Q(subject="")),
        ]


class VoucherNumber(models.Model):
    """凭证号：机构 + 记账日内的连续号，日结时一次编定（凭证本身不再改动，故另表）。"""

    voucher = models.OneToOneField(Voucher, primary_key=True, on_delete=models.PROTECT, related_name="numbering")
    institution_id = models.BigIntegerField()
    booked_on = models.DateField()
    number = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["institution_id", "booked_on", "number"], name="ledger_voucher_number_once")
        ]


class Line(models.Model):
    """分录：借正贷负的整数分。带头寸代码与核算键（机构、产品、五级分类、应计状态、币种）者参与「Σ借据 = 总账」。

    ``account``/``institution`` 不建外键约束：每行校验会让并发记账争抢同一科目行的共享锁；
    科目禁止删除，由 ``check`` 复核。
    """

    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, related_name="lines")
    booked_on = models.DateField()
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    amount_fen = FenField()
    institution = models.ForeignKey(
        "access.Institution", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    product_id = models.BigIntegerField(null=True)
    loan_class = models.SmallIntegerField(null=True)
    accrual = models.SmallIntegerField(null=True)
    currency = models.CharField(max_length=3, default="CNY")
    position_code = models.CharField(max_length=24, blank=True)
    loan_id = models.BigIntegerField(null=True)
    summary = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(amount_fen=0), name="ledger_line_not_zero")]
        indexes = [
            models.Index(fields=["account", "institution", "booked_on", "id"], name="ledger_line_account"),
            models.Index(fields=["booked_on", "institution"], name="ledger_line_day"),
            models.Index(fields=["loan_id", "id"], name="ledger_line_loan", condition=Q(loan_id__isnull=False)),
        ]


class InstitutionBooks(models.Model):
    """机构账簿状态：``folded_to`` 已汇总到哪天（含），``closed_to`` 已结账到哪天（含）。记账触发器据此拒绝。"""

    institution = models.OneToOneField(
        "access.Institution", primary_key=True, on_delete=models.PROTECT, related_name="+"
    )
    folded_to = models.DateField(null=True)
    closed_to = models.DateField(null=True)


class KeyedTotal(models.Model):
    """汇总行的公共栏目：核算键 + 科目 + 头寸代码。"""

    institution = models.ForeignKey(
        "access.Institution", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    position_code = models.CharField(max_length=24, blank=True)
    product_id = models.BigIntegerField(null=True)
    loan_class = models.SmallIntegerField(null=True)
    accrual = models.SmallIntegerField(null=True)
    currency = models.CharField(max_length=3)

    class Meta:
        abstract = True


class AccountDay(KeyedTotal):
    """日汇总：已过日的借方、贷方发生额。同键可有多行（迟到的期末凭证另加一行），合计才有意义；只追加。"""

    day = models.DateField()
    debit_fen = FenField(default=0)
    credit_fen = FenField(default=0)

    class Meta:
        indexes = [models.Index(fields=["institution", "day"], name="ledger_day_institution")]
        constraints = [
            models.CheckConstraint(condition=Q(debit_fen__gte=0) & Q(credit_fen__gte=0), name="ledger_day_not_negative")
        ]


class MonthBalance(KeyedTotal):
    """月末结存：自始至该月末的累计余额，让余额查询不必从第一天加起。同键可有多行；只追加。"""

    month_end = models.DateField()
    balance_fen = FenField()

    class Meta:
        indexes = [models.Index(fields=["month_end", "institution"], name="ledger_month_institution")]


class OpeningBalance(models.Model):
    """期初余额：切换日原系统各科目的余额（借正贷负），一经登记不改；受头寸控制者由借据期初凭证逐笔形成，此处只作核对。"""

    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    cut_over_on = models.DateField("切换日")
    amount_fen = FenField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["institution", "account"], name="ledger_opening_once")]


class PeriodKind(models.TextChoices):
    """期间种类。"""

    MONTH = "MONTH", "月"
    YEAR = "YEAR", "年"


class Period(models.Model):
    """会计期间的结账记录：有此行即已结账。没有「反结账」。"""

    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=5, choices=PeriodKind.choices)
    first_on = models.DateField()
    last_on = models.DateField()
    closed_by = models.BigIntegerField(null=True)
    closed_at = models.DateTimeField()
    closing_voucher = models.ForeignKey(Voucher, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["institution", "kind", "first_on"], name="ledger_period_once"),
            models.CheckConstraint(condition=Q(first_on__lte=F("last_on")), name="ledger_period_order"),
        ]


class DraftState(models.TextChoices):
    """手工凭证草稿状态。"""

    ENTERED = "ENTERED", "待授权"
    AUTHORIZED = "AUTHORIZED", "已记账"
    REJECTED = "REJECTED", "已退回"
    WITHDRAWN = "WITHDRAWN", "已撤回"


LIVE_DRAFTS = (DraftState.ENTERED.value, DraftState.REJECTED.value, DraftState.AUTHORIZED.value)
"""占住事由的草稿状态：撤回的才放开。"""


class ManualDraft(models.Model):
    """手工凭证草稿：一人录入，另一人授权后才成为凭证。``lines`` 为 [{account_id, amount_fen, summary}]。

    ``revision`` 第几稿：每次改正重新送复核，复核任务以它区分。``occasion`` 只许一张的事由（如某月印花税），手工录入的为空。
    """

    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    booked_on = models.DateField()
    summary = models.CharField(max_length=200)
    lines = models.JSONField()
    reverses = models.ForeignKey(Voucher, null=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=DraftState.choices, default=DraftState.ENTERED)
    revision = models.PositiveSmallIntegerField(default=1)
    occasion = models.CharField(max_length=60, blank=True)
    entered_by = models.BigIntegerField(null=True)
    entered_at = models.DateTimeField()
    decided_by = models.BigIntegerField(null=True)
    decided_at = models.DateTimeField(null=True)
    opinion = models.CharField(max_length=200, blank=True)
    voucher = models.OneToOneField(Voucher, null=True, on_delete=models.PROTECT, related_name="draft")

    class Meta:
        indexes = [models.Index(fields=["institution", "state", "booked_on"], name="ledger_draft_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["reverses"],
                condition=Q(state__in=["ENTERED", "AUTHORIZED"]),
                name="ledger_draft_one_reversal",
            ),
            models.UniqueConstraint(
                fields=["institution", "occasion"],
                condition=~Q(occasion="") & Q(state__in=["ENTERED", "REJECTED", "AUTHORIZED"]),
                name="ledger_draft_one_occasion",
            ),
        ]
