"""机构、人员、岗位任职：谁在哪里、以什么岗位、能看多大范围。"""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models

from sancha.kit.dated import DatedRecord


class InstitutionKind(models.TextChoices):
    """机构类别（ORG-1）。岗位可设在哪些类别，见 ``rulebook/posts.yaml``。"""

    HEAD_OFFICE = "HEAD_OFFICE", "总行"
    TIER1_BRANCH = "TIER1_BRANCH", "一级分行"
    TIER2_BRANCH = "TIER2_BRANCH", "二级分行"
    TIER1_SUB_BRANCH = "TIER1_SUB_BRANCH", "一级支行"
    TIER2_SUB_BRANCH = "TIER2_SUB_BRANCH", "二级支行"
    GUARANTEE_CENTER = "GUARANTEE_CENTER", "担保中心"
    STREET = "STREET", "街道（乡镇）平台"
    COMMUNITY = "COMMUNITY", "社区平台"
    UNIVERSITY = "UNIVERSITY", "高校"
    COLLEGE = "COLLEGE", "院系"
    PARTNER = "PARTNER", "合作企业"


# 上级只能是这些类别；可以独立成树的另见 ROOT_KINDS（ORG-1）。
_BRANCHES = frozenset({InstitutionKind.HEAD_OFFICE, InstitutionKind.TIER1_BRANCH, InstitutionKind.TIER2_BRANCH})
PARENT_KINDS: dict[str, frozenset[InstitutionKind]] = {
    InstitutionKind.HEAD_OFFICE: frozenset(),
    InstitutionKind.TIER1_BRANCH: frozenset({InstitutionKind.HEAD_OFFICE}),
    InstitutionKind.TIER2_BRANCH: frozenset({InstitutionKind.HEAD_OFFICE, InstitutionKind.TIER1_BRANCH}),
    InstitutionKind.TIER1_SUB_BRANCH: _BRANCHES,
    InstitutionKind.TIER2_SUB_BRANCH: _BRANCHES | {InstitutionKind.TIER1_SUB_BRANCH},
    InstitutionKind.GUARANTEE_CENTER: frozenset({InstitutionKind.GUARANTEE_CENTER}),
    InstitutionKind.STREET: frozenset({InstitutionKind.GUARANTEE_CENTER}),
    InstitutionKind.COMMUNITY: frozenset({InstitutionKind.GUARANTEE_CENTER, InstitutionKind.STREET}),
    InstitutionKind.UNIVERSITY: frozenset(),
    InstitutionKind.COLLEGE: frozenset({InstitutionKind.UNIVERSITY}),
    InstitutionKind.PARTNER: frozenset(InstitutionKind) - {InstitutionKind.PARTNER},
}
ROOT_KINDS = frozenset(
    {
        InstitutionKind.HEAD_OFFICE,
        InstitutionKind.TIER1_BRANCH,
        InstitutionKind.TIER2_BRANCH,
        InstitutionKind.TIER1_SUB_BRANCH,
        InstitutionKind.GUARANTEE_CENTER,
        InstitutionKind.UNIVERSITY,
    }
)


class Institution(models.Model):
    """机构：一棵树。``path`` 是当日投影（形如 ``/1/4/``），只用于数据范围；历史隶属见 ``Placement``。"""

    code = models.CharField("机构号", max_length=20, unique=True)
    name = models.CharField("名称", max_length=80)
    kind = models.CharField("类别", max_length=20, choices=InstitutionKind.choices)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    path = models.CharField("路径", max_length=200, db_index=True)
    address = models.CharField("地址", max_length=200, blank=True)
    phone = models.CharField("电话", max_length=40, blank=True)
    opened_on = models.DateField("设立日")
    closed_on = models.DateField("撤销日", null=True, blank=True)
    is_open = models.BooleanField("在营", default=True)

    def __str__(self) -> str:
        return self.name


class Placement(DatedRecord):
    """机构隶属：某日起归谁管（``parent`` 空为独立机构）。只追加，一条新记录盖过旧记录。"""

    institution = models.ForeignKey(Institution, on_delete=models.PROTECT, related_name="placements")
    parent = models.ForeignKey(Institution, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["supersedes"], name="access_placement_superseded_once")]
        indexes = [models.Index(fields=["institution", "valid_from"], name="access_placement_day")]


class PersonManager(BaseUserManager["Person"]):
    """按用户名取人；用户名一律小写，登录时大小写不敏感。"""

    def get_by_natural_key(self, username: str | None) -> Person:
        return self.get(username=(username or "").strip().lower())


class Person(AbstractBaseUser):
    """人员：也是登录账户。岗位不在这里，见 ``PostHolding``。

    ``institution`` 是人事所属，只决定谁能管理此人；能看什么、做什么只由任职决定。
    """

    username = models.CharField("用户名", max_length=40, unique=True)
    name = models.CharField("姓名", max_length=40)
    employee_no = models.CharField("工号", max_length=20, blank=True)
    phone = models.CharField("电话", max_length=20, blank=True)
    institution = models.ForeignKey(
        Institution, on_delete=models.PROTECT, related_name="people", verbose_name="所属机构"
    )
    is_active = models.BooleanField("启用", default=True)
    must_change_password = models.BooleanField("首次登录须改密码", default=True)

    known_holdings: list[PostHolding] | None = None
    """全部任职，不是栏目：``remember_holdings`` 记上，供同一请求里的 ``actor_for`` 用。"""

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["name"]
    objects = PersonManager()

    def __str__(self) -> str:
        return self.name

    def get_full_name(self) -> str:
        """姓名。"""
        return self.name


class PostHolding(DatedRecord):
    """任职：某人自某日起在某机构任某岗位。

    结束任职是一条 ``valid_to`` 已填的新记录（``supersedes`` 指向旧记录），旧记录不动：
    既答得出「那天他是不是审批人」，也答得出「那天系统认为他是不是审批人」。
    """

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="holdings")
    institution = models.ForeignKey(Institution, on_delete=models.PROTECT, related_name="holdings")
    post_code = models.CharField("岗位", max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["supersedes"], name="access_holding_superseded_once")]
        indexes = [
            models.Index(fields=["person", "valid_from"], name="access_holding_person"),
            models.Index(fields=["post_code", "institution"], name="access_holding_post"),
        ]
