"""签约卷：一份批复一卷——明示表、借款合同、保证合同、签字、放款条件，直到放款。签字只追加，合同作废重出而不涂改。"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.rulebook.vocabulary import GuaranteeKind, choices


class FileState(models.TextChoices):
    """签约卷的状态。"""

    OPEN = "OPEN", "签约中"
    SENT = "SENT", "已送放款"
    CLOSED = "CLOSED", "已作废"


class SigningFile(models.Model):
    """签约卷：批准的要素在此冻结一份，合同、放款指令都与它比对（CON-1、CON-2）。

    ``application_id`` 是上层的申请；``loan_id`` 是登记出来的借据，放款复核退回的清空，可再送。
    """

    application_id = models.BigIntegerField(unique=True)
    approval_id = models.BigIntegerField(unique=True)
    number = models.CharField("主合同号", max_length=60, unique=True)
    party = models.ForeignKey("parties.Party", on_delete=models.PROTECT, related_name="+", db_index=False)
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+", db_index=False)
    product = models.ForeignKey("products.Product", on_delete=models.PROTECT, related_name="+", db_index=False)
    officer_id = models.BigIntegerField(null=True)
    purpose = models.CharField("用途", max_length=200)
    amount_fen = models.BigIntegerField("金额")
    term_count = models.PositiveIntegerField("期限")
    term_unit = models.CharField("期限单位", max_length=10, choices=choices(PeriodUnit))
    method = models.CharField("还款方式", max_length=30, choices=choices(Method))
    guarantee = models.CharField("担保方式", max_length=20, choices=choices(GuaranteeKind))
    rate_ppm = models.BigIntegerField("年利率（ppm）")
    spouse_signs = models.BooleanField("配偶须签字", default=False)
    expires_on = models.DateField("批复有效期至")
    state = models.CharField(max_length=8, choices=FileState.choices, default=FileState.OPEN)
    loan_id = models.BigIntegerField(null=True)
    opened_on = models.DateField()
    recorded_at = models.DateTimeField()
    closing_reason = models.CharField("作废原因", max_length=300, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0, term_count__gt=0), name="agreements_file_elements"),
            models.UniqueConstraint(
                fields=["loan_id"], condition=Q(loan_id__isnull=False), name="agreements_file_loan"
            ),
        ]
        indexes = [models.Index(fields=["institution", "state", "expires_on"], name="agreements_file_desk")]

    def __str__(self) -> str:
        return self.number


class PaperKind(models.TextChoices):
    """签的是哪一种。"""

    COST_STATEMENT = "COST_STATEMENT", "综合融资成本明示表"
    LOAN_AGREEMENT = "LOAN_AGREEMENT", "借款合同"
    GUARANTEE_AGREEMENT = "GUARANTEE_AGREEMENT", "保证合同"


class SigningPaper(models.Model):
    """一份要签的文书：明示表与借款合同各一份，保证合同每位保证人一份。作废的留着号，重出是新的一份（``revision``）。"""

    file = models.ForeignKey(SigningFile, on_delete=models.PROTECT, related_name="papers")
    kind = models.CharField(max_length=20, choices=PaperKind.choices)
    party = models.ForeignKey("parties.Party", on_delete=models.PROTECT, related_name="+", db_index=False)
    number = models.CharField("编号", max_length=70, unique=True)
    revision = models.PositiveIntegerField(default=1)
    drawn_on = models.DateField()
    voided_on = models.DateField(null=True)
    void_reason = models.CharField("作废原因", max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["file", "kind", "party"], condition=Q(voided_on__isnull=True), name="agreements_paper_once"
            ),
        ]


class Capacity(models.TextChoices):
    """以什么身份签。"""

    BORROWER = "BORROWER", "借款人"
    SPOUSE = "SPOUSE", "借款人配偶"
    GUARANTOR = "GUARANTOR", "保证人"


class PaperSignature(models.Model):
    """面签：谁以什么身份在哪份文书上签，哪两名工作人员在场（CON-1）。只追加。"""

    paper = models.ForeignKey(SigningPaper, on_delete=models.PROTECT, related_name="signatures")
    capacity = models.CharField(max_length=10, choices=Capacity.choices)
    signer = models.CharField("签字人", max_length=80)
    witness = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    second_witness = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    place = models.CharField("地点", max_length=100)
    terms_read = models.BooleanField("已逐条提示加粗条款", default=False)
    on_day = models.DateField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["paper", "capacity"], name="agreements_signature_once")]


class LendingCondition(models.Model):
    """放款条件：批复里的一条，谁何时落实、凭什么（CON-2、CON-4）。"""

    file = models.ForeignKey(SigningFile, on_delete=models.PROTECT, related_name="conditions")
    text = models.CharField("条件", max_length=200)
    met_on = models.DateField(null=True)
    met_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    proof = models.CharField("凭什么", max_length=200, blank=True)
