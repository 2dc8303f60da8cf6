"""客户：一人一档。主档是当日投影，历次变动与核实在信用档案里只追加；姓名另有二元切分索引供查找。"""

from __future__ import annotations

from django.db import models

from sancha.kit.dated import DatedRecord
from sancha.rulebook.vocabulary import CustomerKind, choices


class IdKind(models.TextChoices):
    """证件类别。"""

    RESIDENT_ID = "RESIDENT_ID", "居民身份证"
    TEMPORARY_ID = "TEMPORARY_ID", "临时居民身份证"
    HMT_RESIDENCE = "HMT_RESIDENCE", "港澳台居民居住证"
    HK_MACAU_PERMIT = "HK_MACAU_PERMIT", "港澳居民来往内地通行证"
    TAIWAN_PERMIT = "TAIWAN_PERMIT", "台湾居民来往大陆通行证"
    FOREIGN_PERMANENT = "FOREIGN_PERMANENT", "外国人永久居留身份证"
    PASSPORT = "PASSPORT", "护照"
    MILITARY = "MILITARY", "军人身份证件"
    HOUSEHOLD_BOOK = "HOUSEHOLD_BOOK", "户口簿"
    USCC = "USCC", "统一社会信用代码"
    BUSINESS_LICENSE = "BUSINESS_LICENSE", "营业执照注册号"
    OTHER = "OTHER", "其他证件"
    ABSENT = "ABSENT", "无证件（家庭、小组）"


class Gender(models.TextChoices):
    """性别。"""

    MALE = "MALE", "男"
    FEMALE = "FEMALE", "女"


class FactSource(models.TextChoices):
    """事实的来源：自述、目睹、交叉核对、第三方（CUS-15）。"""

    CLAIMED = "CLAIMED", "自述"
    SEEN = "SEEN", "目睹"
    CROSS_CHECKED = "CROSS_CHECKED", "交叉核对"
    THIRD_PARTY = "THIRD_PARTY", "第三方"


class ContactChannel(models.TextChoices):
    """联系方式。"""

    MOBILE = "MOBILE", "手机"
    PHONE = "PHONE", "固定电话"
    WECHAT = "WECHAT", "微信"
    QQ = "QQ", "QQ"
    EMAIL = "EMAIL", "电子邮箱"
    POSTAL_ADDRESS = "POSTAL_ADDRESS", "通信地址"


class RelationKind(models.TextChoices):
    """关系：甲是乙的什么人。"""

    SPOUSE = "SPOUSE", "配偶"
    PARENT = "PARENT", "父母"
    CHILD = "CHILD", "子女"
    SIBLING = "SIBLING", "兄弟姐妹"
    OTHER_RELATIVE = "OTHER_RELATIVE", "其他亲属"
    GROUP_MEMBER = "GROUP_MEMBER", "联保小组成员"
    GUARANTOR = "GUARANTOR", "保证人"
    EMPLOYER = "EMPLOYER", "雇主"
    PARTNER_IN_BUSINESS = "PARTNER_IN_BUSINESS", "合伙人"
    SHAREHOLDER = "SHAREHOLDER", "股东"
    LEGAL_REPRESENTATIVE = "LEGAL_REPRESENTATIVE", "法定代表人"
    ACTUAL_CONTROLLER = "ACTUAL_CONTROLLER", "实际控制人"
    CREDITOR = "CREDITOR", "债权人"


class Party(models.Model):
    """客户主档（当日投影）。``number`` 是 C 加 10 位数字，不复用。

    ``identity_key`` 是证件的归一写法，唯一：同一个人换了证件类别（身份证、临时身份证）仍是同一档。
    ``institution`` 管户机构；别的机构也与其往来时见 ``PartyPresence``。
    ``merged_into`` 并入了哪一档：旧客户号从此解析到那一档。``erased_on`` 个人信息已删除，只剩客户号。
    """

    number = models.CharField("客户号", max_length=11, unique=True)
    kind = models.CharField("客户类别", max_length=20, choices=choices(CustomerKind))
    name = models.CharField("名称", max_length=100)
    id_kind = models.CharField("证件类别", max_length=20, choices=IdKind.choices)
    id_number = models.CharField("证件号码", max_length=40, blank=True)
    identity_key = models.CharField(max_length=60, null=True, unique=True)
    gender = models.CharField("性别", max_length=6, choices=Gender.choices, blank=True)
    birth = models.DateField("出生日期", null=True)
    phone = models.CharField("电话", max_length=20, blank=True)
    address = models.CharField("地址", max_length=200, blank=True)
    industry_code = models.CharField("行业代码（GB/T 4754）", max_length=6, blank=True)
    industry_name = models.CharField("行业名称", max_length=60, blank=True)
    occupation = models.CharField("职业", max_length=60, blank=True)
    officer = models.ForeignKey("access.Person", null=True, on_delete=models.PROTECT, related_name="+")
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    created_on = models.DateField("建档日")
    created_at = models.DateTimeField()
    erased_on = models.DateField("个人信息删除日", null=True)
    merged_into = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes = [
            models.Index(fields=["phone"], name="parties_phone"),
            models.Index(fields=["officer", "id"], name="parties_officer"),
            models.Index(fields=["institution", "id"], name="parties_institution"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


class PartyBigram(models.Model):
    """姓名二元切分：相邻两字与单字各一行，两库同一写法，两个字的名字也能直接命中索引。"""

    party = models.ForeignKey(Party, on_delete=models.CASCADE, related_name="+", db_index=False)
    gram = models.CharField(max_length=2)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gram", "party"], name="parties_gram_party")]
        indexes = [models.Index(fields=["party"], name="parties_gram_of")]


class PartyPresence(models.Model):
    """往来机构：管户机构之外，与该客户也有往来的机构，因而也能看到他。"""

    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="presences")
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    since = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["party", "institution"], name="parties_presence_once")]


class PartyContact(DatedRecord):
    """联系方式：本人或他人（父母、雇主）的；换号是新记录。"""

    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="contacts")
    channel = models.CharField(max_length=20, choices=ContactChannel.choices)
    value = models.CharField(max_length=200)
    holder = models.CharField("谁的", max_length=60, blank=True)

    class Meta:
        indexes = [models.Index(fields=["channel", "value"], name="parties_contact_value")]


class PartyRelation(DatedRecord):
    """关系：``other`` 是 ``party`` 的什么人（``kind``）。结束关系是一条 ``valid_to`` 已填的新记录。"""

    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="relations")
    other = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="relations_of")
    kind = models.CharField(max_length=24, choices=RelationKind.choices)
    note = models.CharField(max_length=200, blank=True)


class HouseholdRole(models.TextChoices):
    """家庭成员的身份：是户主的什么人。"""

    HEAD = "HEAD", "户主"
    SPOUSE = "SPOUSE", "配偶"
    CHILD = "CHILD", "子女"
    PARENT = "PARENT", "父母"
    GRANDPARENT = "GRANDPARENT", "祖父母"
    GRANDCHILD = "GRANDCHILD", "孙子女"
    SIBLING = "SIBLING", "兄弟姐妹"
    OTHER = "OTHER", "其他成员"


class HouseholdMember(DatedRecord):
    """家庭成员：``household`` 是类别为家庭的客户，家庭台账就是它的信用档案。离开家庭是一条 ``valid_to`` 已填的新记录。

    成员是客户的指向他的档；老人、孩子多半没有档，只记 ``name``。``labors`` 是劳动力（农户贷款要数）。
    """

    household = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="household_members")
    party = models.ForeignKey(Party, null=True, on_delete=models.PROTECT, related_name="household_memberships")
    name = models.CharField(max_length=100, blank=True)
    role = models.CharField(max_length=16, choices=HouseholdRole.choices)
    labors = models.BooleanField("劳动力")
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(party__isnull=True) ^ models.Q(name=""), name="parties_member_one_name"
            ),
        ]


class PartyFileEntry(models.Model):
    """信用档案条目：一件事实，注明来源；只增不改，更正是新条目（``corrects``）。"""

    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="entries")
    topic = models.CharField(max_length=60)
    content = models.JSONField()
    source = models.CharField(max_length=16, choices=FactSource.choices)
    note = models.CharField(max_length=500, blank=True)
    corrects = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    booked_on = models.DateField()
    recorded_at = models.DateTimeField()
    recorded_by_id = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["party", "topic", "id"], name="parties_entry_topic")]


class PartyReveal(models.Model):
    """查看明文的记录：谁、何时、看了谁的哪几栏、为什么。"""

    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="+")
    person_id = models.BigIntegerField(null=True)
    fields = models.JSONField()
    reason = models.CharField(max_length=200)
    on_day = models.DateField()
    recorded_at = models.DateTimeField()


class RequestState(models.TextChoices):
    """申请状态。"""

    OPEN = "OPEN", "待复核"
    DONE = "DONE", "已办理"
    RETURNED = "RETURNED", "已退回"


class ErasureGround(models.TextChoices):
    """删除的事由（个人信息保护法第四十七条各项）。"""

    PURPOSE_DONE = "PURPOSE_DONE", "处理目的已实现或不再必要"
    SERVICE_ENDED = "SERVICE_ENDED", "停止提供服务或保存期届满"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN", "个人撤回同意"
    UNLAWFUL = "UNLAWFUL", "违法或违约处理"


class ErasureRequest(models.Model):
    """个人信息删除：申请与墓碑。办理之后这一行说得清谁、何时、为什么、依哪条删的；``erased`` 是各处删了几行，没有内容。"""

    party = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="erasures")
    ground = models.CharField("事由", max_length=20, choices=ErasureGround.choices)
    reason = models.CharField("说明", max_length=200)
    clause = models.CharField("依据", max_length=40)
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=RequestState.choices, default=RequestState.OPEN)
    requested_by_id = models.BigIntegerField()
    requested_on = models.DateField()
    decided_by_id = models.BigIntegerField(null=True)
    decided_on = models.DateField(null=True)
    recorded_at = models.DateTimeField()
    erased = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["party"], condition=models.Q(state="OPEN"), name="parties_one_open_erasure"
            ),
        ]


class MergeRequest(models.Model):
    """客户合并：``duplicate`` 并入 ``survivor``；办理后借据与往来都归存续的一档，旧客户号照样查得到。"""

    survivor = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="+")
    duplicate = models.ForeignKey(Party, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField("理由", max_length=200)
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=RequestState.choices, default=RequestState.OPEN)
    requested_by_id = models.BigIntegerField()
    requested_on = models.DateField()
    decided_by_id = models.BigIntegerField(null=True)
    decided_on = models.DateField(null=True)
    recorded_at = models.DateTimeField()
    moved = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["duplicate"], condition=models.Q(state="OPEN"), name="parties_one_open_merge"
            ),
            models.CheckConstraint(condition=~models.Q(survivor=models.F("duplicate")), name="parties_merge_of_two"),
        ]


class RiskCause(models.TextChoices):
    """列入名单的原因。"""

    FALSE_INFORMATION = "FALSE_INFORMATION", "经核实提供虚假资料"
    MALICIOUS_DEFAULT = "MALICIOUS_DEFAULT", "恶意拖欠"
    DISPUTE = "DISPUTE", "与本机构有纠纷或债务"
    COURT_DISHONEST = "COURT_DISHONEST", "法院失信被执行人"


class RiskEffect(models.TextChoices):
    """名单的效力。"""

    REFUSE = "REFUSE", "不予办理"
    CAUTION = "CAUTION", "谨慎办理"


class RiskState(models.TextChoices):
    """名单状态。期满不是状态：``valid_to`` 到了就不再命中。"""

    PROPOSED = "PROPOSED", "待复核"
    IN_FORCE = "IN_FORCE", "在列"
    RETURNED = "RETURNED", "未列入"
    RELEASED = "RELEASED", "已解除"


class RiskEntry(models.Model):
    """风险名单的一条：原因、证据、本人陈述、期限、解除；不是一列了之的黑名单。

    ``identity_digest`` 是证件唯一键的 SHA-256：还不是客户的人也对得上，而表、备份与清单里没有号码。
    号码空间小，摘要可以穷举，所以它仍是个人信息，依法删除时一并删去。
    法院名单的 ``source_ref`` 是案号，``source_on`` 是所据名单的日期；期限随法院，不设 ``valid_to``。
    """

    party = models.ForeignKey(Party, null=True, on_delete=models.PROTECT, related_name="risk_entries")
    name = models.CharField("姓名或名称", max_length=100)
    identity_digest = models.CharField(max_length=64, blank=True, db_index=True)
    id_shown = models.CharField("证件号码（遮蔽）", max_length=40, blank=True)
    cause = models.CharField(max_length=20, choices=RiskCause.choices)
    effect = models.CharField(max_length=10, choices=RiskEffect.choices)
    evidence = models.CharField("认定与证据", max_length=500)
    hearing = models.CharField("本人陈述", max_length=500, blank=True)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)
    source_ref = models.CharField(max_length=80, blank=True)
    source_on = models.DateField(null=True)
    institution = models.ForeignKey("access.Institution", on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=RiskState.choices, default=RiskState.PROPOSED)
    proposed_by_id = models.BigIntegerField(null=True)
    proposed_on = models.DateField()
    decided_by_id = models.BigIntegerField(null=True)
    decided_on = models.DateField(null=True)
    released_on = models.DateField(null=True)
    release_reason = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["state", "-id"], name="parties_risk_state")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(valid_to__isnull=True) | models.Q(valid_to__gt=models.F("valid_from")),
                name="parties_risk_period",
            ),
            models.UniqueConstraint(
                fields=["identity_digest", "source_ref"],
                condition=models.Q(state="IN_FORCE") & ~models.Q(source_ref=""),
                name="parties_risk_case_once",
            ),
        ]


class RiskReviewKind(models.TextChoices):
    """复查的缘由。"""

    OBJECTION = "OBJECTION", "本人异议"
    RELEASE = "RELEASE", "申请解除"


class RiskReview(models.Model):
    """对一条在列名单的异议或解除申请：同意即解除，退回即维持；每一次都留着。"""

    entry = models.ForeignKey(RiskEntry, on_delete=models.PROTECT, related_name="reviews")
    kind = models.CharField(max_length=10, choices=RiskReviewKind.choices)
    statement = models.CharField("理由", max_length=500)
    state = models.CharField(max_length=10, choices=RequestState.choices, default=RequestState.OPEN)
    requested_by_id = models.BigIntegerField()
    requested_on = models.DateField()
    decided_by_id = models.BigIntegerField(null=True)
    decided_on = models.DateField(null=True)
    answer = models.CharField("答复", max_length=500, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["entry"], condition=models.Q(state="OPEN"), name="parties_one_open_risk_review"
            ),
        ]
