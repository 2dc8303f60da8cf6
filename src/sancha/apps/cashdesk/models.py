"""出纳的表：自有账户、收款、收款用途、付款单、现金收付与清点、银行流水、对账、批扣。"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from sancha.kit.fen import FenField


class AccountKind(models.TextChoices):
    """自有账户种类。"""

    BANK = "BANK", "银行账户"
    CASH = "CASH", "现金"


class OwnAccount(models.Model):
    """自有账户：机构自己的银行账户或现金，对应一个总账科目。账号只存掩码。"""

    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=4, choices=AccountKind.choices)
    name = models.CharField("名称", max_length=60)
    bank_name = models.CharField("开户行", max_length=80, blank=True)
    number_masked = models.CharField("账号（掩码）", max_length=40, blank=True)
    number_digest = models.CharField(max_length=64, blank=True)
    ledger_account = models.ForeignKey("ledger.Account", on_delete=models.PROTECT, related_name="+")
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["institution", "ledger_account"], name="cashdesk_own_account_once"),
            models.UniqueConstraint(
                fields=["number_digest"], condition=~Q(number_digest=""), name="cashdesk_number_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Channel(models.TextChoices):
    """收款渠道。"""

    COUNTER = "COUNTER", "柜面现金"
    TRANSFER = "TRANSFER", "转账"
    DEBIT = "DEBIT", "批量代扣"
    ONLINE = "ONLINE", "网上支付"
    WINDOW = "WINDOW", "还款窗口"


class ReceiptState(models.TextChoices):
    """收款状态。"""

    UNMATCHED = "UNMATCHED", "挂账"
    PARTLY = "PARTLY", "部分使用"
    MATCHED = "MATCHED", "已用完"
    RETURNED = "RETURNED", "已退回"


class Receipt(models.Model):
    """收款：每一笔进账先成为收款记录，然后才可能成为还款。

    ``serial`` 外部流水号，同一自有账户内唯一：重复到达的流水不会记两遍。余额 = 金额 − 已用 − 已退。
    """

    own_account = models.ForeignKey(OwnAccount, on_delete=models.PROTECT, related_name="receipts")
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    serial = models.CharField("流水号", max_length=64)
    amount_fen = FenField()
    used_fen = FenField(default=0)
    returned_fen = FenField(default=0)
    state = models.CharField(max_length=10, choices=ReceiptState.choices, default=ReceiptState.UNMATCHED)
    payer_name = models.CharField(max_length=80, blank=True)
    payer_account_masked = models.CharField(max_length=40, blank=True)
    value_on = models.DateField("起息日")
    booked_on = models.DateField("记账日")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    subject_hint = models.CharField("对象线索", max_length=60, blank=True)
    party_hint = models.BigIntegerField(null=True)
    memo = models.CharField(max_length=200, blank=True)
    voucher_id = models.BigIntegerField()
    recorded_by = models.BigIntegerField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["own_account", "serial"], name="cashdesk_receipt_serial"),
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="cashdesk_receipt_positive"),
            models.CheckConstraint(
                condition=Q(used_fen__gte=0, returned_fen__gte=0)
                & Q(amount_fen__gte=F("used_fen") + F("returned_fen")),
                name="cashdesk_receipt_not_overused",
            ),
        ]
        indexes = [
            models.Index(
                fields=["institution", "value_on"], name="cashdesk_receipt_open",
                condition=Q(state__in=["UNMATCHED", "PARTLY"]),
            ),
            models.Index(fields=["institution", "booked_on", "id"], name="cashdesk_receipt_day"),
            models.Index(fields=["subject_hint"], name="cashdesk_receipt_hint", condition=~Q(subject_hint="")),
        ]  # fmt: skip


class ReceiptUse(models.Model):
    """收款用途：收款的多少用到哪个对象；冲正另记负数一行，不改旧行。"""

    receipt = models.ForeignKey(Receipt, on_delete=models.PROTECT, related_name="uses")
    subject = models.CharField(max_length=60)
    amount_fen = FenField()
    booked_on = models.DateField()
    voucher_id = models.BigIntegerField()
    releases = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="released_by")
    used_by = models.BigIntegerField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["subject", "id"], name="cashdesk_use_subject")]
        constraints = [models.CheckConstraint(condition=~Q(amount_fen=0), name="cashdesk_use_not_zero")]


class Purpose(models.TextChoices):
    """付款用途。前两种冲贷款收付过渡，退回收款冲挂账。"""

    DISBURSEMENT = "DISBURSEMENT", "放款"
    REFUND = "REFUND", "退还溢缴款"
    RETURN = "RETURN", "退回收款"


class OrderState(models.TextChoices):
    """付款单状态。"""

    CREATED = "CREATED", "待授权"
    RETURNED = "RETURNED", "已退回"
    AUTHORIZED = "AUTHORIZED", "待发送"
    SENT = "SENT", "已发送"
    SETTLED = "SETTLED", "已付"
    FAILED = "FAILED", "失败"
    CANCELLED = "CANCELLED", "已撤销"


class PaymentOrder(models.Model):
    """付款单：录入 → 另一人授权 → 发送 → 已付或失败。付成才记账。

    ``payee_account`` 是完整账号，查询一律给掩码，只有发送时可取。``revision`` 第几稿，``opinion`` 最近一次复核的意见。
    """

    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    own_account = models.ForeignKey(OwnAccount, on_delete=models.PROTECT, related_name="orders")
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    subject = models.CharField(max_length=60, blank=True)
    receipt = models.ForeignKey(Receipt, null=True, on_delete=models.PROTECT, related_name="returns")
    amount_fen = FenField()
    payee_name = models.CharField(max_length=80)
    payee_account = models.CharField(max_length=40, blank=True)
    payee_bank = models.CharField(max_length=80, blank=True)
    memo = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=OrderState.choices, default=OrderState.CREATED)
    revision = models.PositiveSmallIntegerField(default=1)
    opinion = models.CharField(max_length=200, blank=True)
    created_on = models.DateField()
    created_by = models.BigIntegerField(null=True)
    authorized_by = models.BigIntegerField(null=True)
    sent_on = models.DateField(null=True)
    bank_serial = models.CharField(max_length=64, blank=True)
    finished_on = models.DateField(null=True)
    failure = models.CharField(max_length=200, blank=True)
    voucher_id = models.BigIntegerField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="cashdesk_order_positive"),
            models.CheckConstraint(
                condition=~Q(state="SETTLED") | Q(voucher_id__isnull=False), name="cashdesk_settled"
            ),
            models.UniqueConstraint(
                fields=["own_account", "bank_serial"], condition=~Q(bank_serial=""), name="cashdesk_order_serial"
            ),
        ]
        indexes = [
            models.Index(fields=["institution", "state", "created_on"], name="cashdesk_order_state"),
            models.Index(fields=["subject"], name="cashdesk_order_subject", condition=~Q(subject="")),
        ]


class CashMovement(models.Model):
    """现金收付：柜员经手的每一笔现金，收正付负。"""

    own_account = models.ForeignKey(OwnAccount, on_delete=models.PROTECT, related_name="movements")
    teller = models.BigIntegerField()
    day = models.DateField()
    amount_fen = FenField()
    reason = models.CharField(max_length=60)
    voucher_id = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["own_account", "teller", "day"], name="cashdesk_movement_day")]


class TellerDay(models.Model):
    """柜员日结：期初 + 收 − 付 = 应有；清点数与应有之差为长短款。"""

    own_account = models.ForeignKey(OwnAccount, on_delete=models.PROTECT, related_name="teller_days")
    teller = models.BigIntegerField()
    day = models.DateField()
    opening_fen = FenField()
    in_fen = FenField()
    out_fen = FenField()
    counted_fen = FenField()
    difference_fen = FenField()
    reason = models.CharField(max_length=200, blank=True)
    voucher_id = models.BigIntegerField(null=True)
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["own_account", "teller", "day"], name="cashdesk_teller_day_once"),
            models.CheckConstraint(
                condition=Q(difference_fen=F("counted_fen") - F("opening_fen") - F("in_fen") + F("out_fen")),
                name="cashdesk_teller_adds_up",
            ),
        ]


class StatementLine(models.Model):
    """银行流水：收正付负，逐笔留存原样；以流水号去重。``explained_by`` 是解释这一笔的手工凭证。"""

    own_account = models.ForeignKey(OwnAccount, on_delete=models.PROTECT, related_name="statement")
    serial = models.CharField(max_length=64)
    value_on = models.DateField()
    amount_fen = FenField()
    balance_fen = FenField(null=True)
    counterparty = models.CharField(max_length=80, blank=True)
    counterparty_account_masked = models.CharField(max_length=40, blank=True)
    memo = models.CharField(max_length=200, blank=True)
    explained_by = models.BigIntegerField(null=True)
    imported_on = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["own_account", "serial"], name="cashdesk_statement_serial"),
            models.UniqueConstraint(
                fields=["own_account", "explained_by"],
                condition=Q(explained_by__isnull=False),
                name="cashdesk_explained_once",
            ),
            models.CheckConstraint(condition=~Q(amount_fen=0), name="cashdesk_statement_not_zero"),
        ]
        indexes = [models.Index(fields=["own_account", "value_on", "id"], name="cashdesk_statement_day")]


class Reconciliation(models.Model):
    """对账结论：某账户某日，账面余额经未达项调整后与银行余额相符。"""

    own_account = models.ForeignKey(OwnAccount, on_delete=models.PROTECT, related_name="reconciliations")
    day = models.DateField()
    book_fen = FenField()
    bank_fen = FenField()
    only_ours_fen = FenField()
    only_bank_fen = FenField()
    confirmed_by = models.BigIntegerField(null=True)
    confirmed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["own_account", "day"], name="cashdesk_reconciliation_once"),
            models.CheckConstraint(
                condition=Q(bank_fen=F("book_fen") - F("only_ours_fen") + F("only_bank_fen")), name="cashdesk_proof"
            ),
        ]


class BatchState(models.TextChoices):
    """批扣状态。"""

    CREATED = "CREATED", "已生成"
    SENT = "SENT", "已送出"
    DONE = "DONE", "已回盘"


class ItemState(models.TextChoices):
    """批扣明细状态。"""

    PENDING = "PENDING", "待回盘"
    PAID = "PAID", "扣款成功"
    PARTLY = "PARTLY", "部分成功"
    FAILED = "FAILED", "扣款失败"


class DebitBatch(models.Model):
    """批量代扣：送盘、回盘；回盘成功者成为收款，在日终之前入账。"""

    own_account = models.ForeignKey(OwnAccount, on_delete=models.PROTECT, related_name="debit_batches")
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    state = models.CharField(max_length=8, choices=BatchState.choices, default=BatchState.CREATED)
    items_count = models.PositiveIntegerField()
    amount_fen = FenField()
    created_by = models.BigIntegerField(null=True)
    recorded_at = models.DateTimeField()


class DebitItem(models.Model):
    """批扣明细。``reference`` 送盘序号，回盘按它对应。完整账号只在送盘文件里出现。"""

    batch = models.ForeignKey(DebitBatch, on_delete=models.PROTECT, related_name="items")
    reference = models.CharField(max_length=40)
    subject = models.CharField(max_length=60)
    party_id = models.BigIntegerField(null=True)
    payer_name = models.CharField(max_length=80)
    payer_account = models.CharField(max_length=40)
    amount_fen = FenField()
    paid_fen = FenField(default=0)
    state = models.CharField(max_length=8, choices=ItemState.choices, default=ItemState.PENDING)
    failure = models.CharField(max_length=100, blank=True)
    receipt = models.OneToOneField(Receipt, null=True, on_delete=models.PROTECT, related_name="debit_item")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "reference"], name="cashdesk_debit_reference"),
            models.UniqueConstraint(fields=["batch", "subject"], name="cashdesk_debit_subject"),
            models.CheckConstraint(
                condition=Q(amount_fen__gt=0, paid_fen__gte=0) & Q(paid_fen__lte=F("amount_fen")),
                name="cashdesk_debit_sum",
            ),
        ]
