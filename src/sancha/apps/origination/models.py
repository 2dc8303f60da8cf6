"""申请：从第一句询问到批复。事实只追加、带由来；每次裁定连同所据的事实与规则版本留底；批复一经作出不改。"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.rulebook.facts import Evidence
from sancha.rulebook.rules import Outcome, Stage
from sancha.rulebook.vocabulary import GuaranteeKind, choices


class Channel(models.TextChoices):
    """受理渠道（APP-1）。"""

    COUNTER = "COUNTER", "现场"
    OFF_PREMISES = "OFF_PREMISES", "上门（营业场所以外）"
    REMOTE = "REMOTE", "电话或互联网"


class ApplicationState(models.TextChoices):
    """申请状态。办理中的走到哪一步看 ``step``。"""

    DRAFT = "DRAFT", "草稿"
    REFERRED = "REFERRED", "上报待决"
    IN_PROGRESS = "IN_PROGRESS", "办理中"
    APPROVED = "APPROVED", "已批复"
    REFUSED = "REFUSED", "不予受理"
    REJECTED = "REJECTED", "否决"
    WITHDRAWN = "WITHDRAWN", "已撤回"
    LAPSED = "LAPSED", "批复过期"
    DISBURSED = "DISBURSED", "已放款"


class Application(models.Model):
    """申请（案）：谁、向谁、为什么、借多少、怎么还，走到哪一步。

    草稿的 ``typed`` 原样存着填过的文字，对不对都不丢；受理时才读成要素与事实。
    要素是申请人要的；批下来的在 ``Approval``。
    """

    number = models.CharField("申请号", max_length=40, unique=True)
    program = models.CharField("项目", max_length=4)
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+", db_index=False)
    party = models.ForeignKey("parties.Party", on_delete=models.PROTECT, related_name="+", db_index=False)
    product = models.ForeignKey("products.Product", on_delete=models.PROTECT, related_name="+", db_index=False)
    channel = models.CharField("受理渠道", max_length=20, choices=Channel.choices)
    typed = models.JSONField("填写原样", default=dict)
    purpose = models.CharField("用途", max_length=200, blank=True)
    source = models.CharField("信息来源", max_length=100, blank=True)
    amount_fen = models.BigIntegerField("申请金额", null=True)
    term_count = models.PositiveIntegerField("期限", null=True)
    term_unit = models.CharField("期限单位", max_length=10, choices=choices(PeriodUnit), blank=True)
    method = models.CharField("还款方式", max_length=30, choices=choices(Method), blank=True)
    guarantee = models.CharField("担保方式", max_length=20, choices=choices(GuaranteeKind), blank=True)
    state = models.CharField("状态", max_length=12, choices=ApplicationState.choices, default=ApplicationState.DRAFT)
    step = models.CharField("环节", max_length=40, blank=True)
    round = models.PositiveIntegerField("第几轮调查", default=1)
    received_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    received_alone = models.BooleanField("单人受理", default=False)
    opened_on = models.DateField("登记日")
    accepted_on = models.DateField("受理日", null=True)
    lead = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    assistant = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    closed_on = models.DateField("了结日", null=True)
    closing_reason = models.CharField("了结原因", max_length=400, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="DRAFT")
                | Q(amount_fen__gt=0, term_count__gt=0, accepted_on__isnull=False)
                | Q(state__in=["REFUSED", "WITHDRAWN"]),
                name="origination_accepted_has_elements",
            ),
        ]
        indexes = [
            models.Index(fields=["institution", "state", "opened_on"], name="origination_register"),
            models.Index(fields=["party", "state"], name="origination_party"),
        ]

    def __str__(self) -> str:
        return self.number


class CaseGuarantor(models.Model):
    """本案的保证人：一位客户，以哪一类保证。撤换的记下哪天，不删。"""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="guarantors")
    party = models.ForeignKey("parties.Party", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField("类别", max_length=20)
    added_on = models.DateField()
    removed_on = models.DateField(null=True)
    reason = models.CharField("撤换原因", max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "party"], condition=Q(removed_on__isnull=True), name="origination_guarantor_once"
            ),
        ]


class CaseFact(models.Model):
    """本案的一项事实：规则库里的哪一个、什么值、凭什么、谁何时记的。只追加，同一项后记的为准（CUS-15）。

    ``guarantor`` 空即申请人一方的；有值则是那位保证人的一栏。
    """

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="facts", db_index=False)
    guarantor = models.ForeignKey(CaseGuarantor, null=True, on_delete=models.PROTECT, related_name="facts")
    code = models.CharField("事实", max_length=80)
    value = models.JSONField("值")
    evidence = models.CharField("凭什么", max_length=20, choices=choices(Evidence))
    reference = models.CharField("出处", max_length=200, blank=True)
    on_day = models.DateField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["application", "id"], name="origination_fact_case")]


class Ruling(models.Model):
    """裁定：一次对着当时的事实跑完一个环节的全部规则。事实、规则版本、结论都是当时的，此后规则改了也不变（POL-14）。"""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="rulings", db_index=False)
    stage = models.CharField("环节", max_length=20, choices=choices(Stage))
    outcome = models.CharField("结论", max_length=20, choices=choices(Outcome))
    facts = models.JSONField("所据事实")
    verdicts = models.JSONField("逐条裁定")
    limit_fen = models.BigIntegerField("限额", null=True)
    on_day = models.DateField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["application", "id"], name="origination_ruling_case")]


class RuleException(models.Model):
    """规则例外：规则要求上报的，有权机构同意本案照办；其后各环节遇到同一条规则不再挡，仍显示。"""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="exceptions")
    rule = models.CharField("规则", max_length=80)
    opinion = models.TextField("意见")
    authority = models.JSONField("所用授权")
    on_day = models.DateField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["application", "rule"], name="origination_exception_once")]


class Proposal(models.Model):
    """建议：调查人、审查人提出的额度、期限、利率与方式，连同理由。只追加，审批以最后一份为底。"""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="proposals")
    step = models.CharField("环节", max_length=40)
    amount_fen = models.BigIntegerField("金额")
    term_count = models.PositiveIntegerField("期限")
    term_unit = models.CharField("期限单位", max_length=10, choices=choices(PeriodUnit))
    method = models.CharField("还款方式", max_length=30, choices=choices(Method))
    guarantee = models.CharField("担保方式", max_length=20, choices=choices(GuaranteeKind))
    rate_ppm = models.BigIntegerField("年利率（ppm）")
    opinion = models.TextField("意见")
    conditions = models.JSONField("放款条件", default=list)
    on_day = models.DateField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount_fen__gt=0), name="origination_proposal_amount")]


class Approval(models.Model):
    """批复：批下来的要素、条件、有效期、批的人与他所用的授权。一经作出不改；要改的重新审批，旧的过期。"""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="approvals")
    amount_fen = models.BigIntegerField("金额")
    term_count = models.PositiveIntegerField("期限")
    term_unit = models.CharField("期限单位", max_length=10, choices=choices(PeriodUnit))
    method = models.CharField("还款方式", max_length=30, choices=choices(Method))
    guarantee = models.CharField("担保方式", max_length=20, choices=choices(GuaranteeKind))
    rate_ppm = models.BigIntegerField("年利率（ppm）")
    conditions = models.JSONField("放款条件", default=list)
    authority = models.JSONField("所用授权")
    ruling = models.ForeignKey(Ruling, on_delete=models.PROTECT, related_name="+")
    approved_on = models.DateField()
    expires_on = models.DateField("有效期至")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()


class CaseMaterial(models.Model):
    """收到的一样材料：哪一样、谁的（保证人的写是哪一位）、谁收的、谁与原件核对并签名（APP-3）。退还的留着记录。"""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="materials", db_index=False)
    guarantor = models.ForeignKey(CaseGuarantor, null=True, on_delete=models.PROTECT, related_name="materials")
    code = models.CharField("材料", max_length=40)
    received_on = models.DateField()
    received_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    compared_on = models.DateField("与原件核对之日", null=True)
    compared_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    returned_on = models.DateField("退还之日", null=True)
    note = models.CharField("说明", max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "code"],
                condition=Q(returned_on__isnull=True, guarantor__isnull=True),
                name="origination_material_once",
            ),
            models.UniqueConstraint(
                fields=["guarantor", "code"],
                condition=Q(returned_on__isnull=True, guarantor__isnull=False),
                name="origination_guarantor_material_once",
            ),
        ]
        indexes = [models.Index(fields=["application", "id"], name="origination_material_case")]
