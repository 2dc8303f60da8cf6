"""授权：谁能批多少、谁有资格、谁停了权。全是有日期的记录，只追加：收回授权、解除停权都是一条新记录盖过旧的。"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from sancha.kit.dated import DatedRecord


class MandateTerms(models.Model):
    """授权的内容：哪个机构的哪个岗位（或指定的人），哪个项目的哪些产品与担保方式，多少金额、多长期限，新客户还是老客户。

    ``products``、``guarantees`` 空为全部。
    """

    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    post_code = models.CharField("岗位", max_length=40)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    program = models.CharField("项目", max_length=4)
    products = models.JSONField("产品", default=list)
    guarantees = models.JSONField("担保方式", default=list)
    max_fen = models.BigIntegerField("单笔最高金额")
    max_months = models.PositiveIntegerField("最长期限（月）")
    for_new = models.BooleanField("新客户", default=True)
    for_repeat = models.BooleanField("老客户", default=True)

    class Meta:
        abstract = True


class Mandate(MandateTerms, DatedRecord):
    """授权书（ORG-9）。转授的 ``parent`` 指向上级的授权书，不得超过它；``number`` 收回的记录沿用。"""

    number = models.CharField("授权书号", max_length=40)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="delegated")
    reason = models.CharField("说明", max_length=200, blank=True)
    authorized_by_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["supersedes"], name="authority_mandate_superseded_once"),
            models.CheckConstraint(condition=Q(max_fen__gt=0, max_months__gt=0), name="authority_mandate_positive"),
        ]
        indexes = [models.Index(fields=["institution", "post_code", "program"], name="authority_mandate_desk")]

    def __str__(self) -> str:
        return self.number


class MandateDraftKind(models.TextChoices):
    """授权稿的种类。"""

    GRANT = "GRANT", "授予"
    REVOKE = "REVOKE", "收回"


class MandateDraftState(models.TextChoices):
    """授权稿的状态。"""

    OPEN = "OPEN", "待复核"
    DONE = "DONE", "已生效"
    RETURNED = "RETURNED", "已退回"


class MandateDraft(MandateTerms):
    """授权稿：一人起草、另一人复核，同意才成为授权书；收回也一样。"""

    kind = models.CharField(max_length=8, choices=MandateDraftKind.choices)
    mandate = models.ForeignKey(Mandate, null=True, on_delete=models.PROTECT, related_name="+")
    parent = models.ForeignKey(Mandate, null=True, on_delete=models.PROTECT, related_name="+")
    valid_from = models.DateField("起效日")
    valid_to = models.DateField("止日（不含）", null=True)
    reason = models.CharField("说明", max_length=200, blank=True)
    state = models.CharField(max_length=8, choices=MandateDraftState.choices, default=MandateDraftState.OPEN)
    drafted_by_id = models.BigIntegerField()
    booked_on = models.DateField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["mandate"], condition=Q(state="OPEN", kind="REVOKE"), name="authority_one_open_revocation"
            ),
        ]


class Certificate(DatedRecord):
    """上岗资格证书（ORG-4）：理论与实务培训的天数、两次考试的日子、有效期。"""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    number = models.CharField("证书号", max_length=40)
    theory_days = models.PositiveIntegerField("理论培训天数")
    practice_days = models.PositiveIntegerField("实务培训天数")
    theory_passed_on = models.DateField("理论考试合格日")
    practice_passed_on = models.DateField("实务考试合格日")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["supersedes"], name="authority_certificate_superseded_once")]
        indexes = [models.Index(fields=["person", "valid_from"], name="authority_certificate_day")]


class SuspensionCause(models.TextChoices):
    """停权的原因（ORG-6）。"""

    NPL_RATIO = "NPL_RATIO", "管户不良率超限满一个月"
    NPL_AMOUNT = "NPL_AMOUNT", "管户不良金额超限满一个月"
    VIOLATION = "VIOLATION", "严重违规"
    LATENT_RISK = "LATENT_RISK", "重大潜在风险"


class Suspension(DatedRecord):
    """暂停信贷员的贷前调查资格（ORG-6）：只停新贷款的调查，管户照旧。恢复是一条写明止日与依据的新记录（ORG-7）。"""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    cause = models.CharField("原因", max_length=20, choices=SuspensionCause.choices)
    reason = models.CharField("说明", max_length=300)
    clause = models.CharField("依据", max_length=80)
    lifted_reason = models.CharField("恢复的依据", max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["supersedes"], name="authority_suspension_superseded_once")]
        indexes = [models.Index(fields=["person", "valid_from"], name="authority_suspension_day")]
