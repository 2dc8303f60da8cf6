"""一家县域银行与一个担保中心：机构、营业日、各岗位一人。

树（``county``）::

    总行 HO ─ 一级分行 B1 ─ 二级分行 B2 ─ 一级支行 S1 ─ 二级支行 S2
                                        └ 一级支行 S9（另一条线，用来看范围是否漏）
    担保中心 GC ─ 街道 GC01 ─ 社区 GC0101

全部经由真正的操作建立；``county.actor("LOAN_OFFICER")`` 给出该岗位在默认机构的操作人。
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date

from django.conf import settings
from django.contrib.auth import hashers
from pydantic import SecretStr

from sancha.apps.access import operations as access
from sancha.apps.access.queries import actor_for
from sancha.apps.businessday import operations as businessday
from sancha.kit.actor import SYSTEM, Actor
from sancha.rulebook.posts import find_post

# 正式的散列一次要几百毫秒，建二十个人就是十秒；测试不比拼密码强度。
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
hashers.get_hashers.cache_clear()
hashers.get_hashers_by_algorithm.cache_clear()

OPENING_DAY = date(2026, 3, 2)
PASSWORD = "Shanqu-2026-tu"

# 机构代码 → (名称, 类别, 上级代码)
INSTITUTIONS = {
    "HO": ("青川县农村商业银行", "HEAD_OFFICE", None),
    "B1": ("城关分行", "TIER1_BRANCH", "HO"),
    "B2": ("河东分行", "TIER2_BRANCH", "B1"),
    "S1": ("柳溪支行", "TIER1_SUB_BRANCH", "B2"),
    "S2": ("石桥支行", "TIER2_SUB_BRANCH", "S1"),
    "S9": ("北坪支行", "TIER1_SUB_BRANCH", "B2"),
    "GC": ("青川县小额贷款担保中心", "GUARANTEE_CENTER", None),
    "GC01": ("城关街道劳动保障所", "STREET", "GC"),
    "GC0101": ("东门社区", "COMMUNITY", "GC01"),
}

# 岗位 → 缺省任职的机构
DEFAULT_SEATS = {
    "ADMINISTRATOR": "HO",
    "AUDITOR": "HO",
    "DAYCLOSE_OPERATOR": "HO",
    "INTEGRATION": "HO",
    "DEPARTMENT_HEAD": "HO",
    "BUSINESS_MANAGER": "B1",
    "PRODUCT_MANAGER": "B1",
    "REVIEWER": "B2",
    "APPROVER": "B2",
    "BUSINESS_INSPECTOR": "B2",
    "ACCOUNTING_SUPERVISOR": "S1",
    "OPERATIONS_SUPERVISOR": "S1",
    "ARCHIVIST": "S1",
    "POST_LOAN": "S1",
    "LOAN_OFFICER": "S1",
    "INTAKE": "S1",
    "DISBURSEMENT_CLERK": "S1",
    "CASHIER": "S1",
    "BRANCH_MANAGER": "S1",
    "TEAM_LEAD": "S2",
    "GC_HANDLER": "GC",
    "GC_REVIEWER": "GC",
    "GC_UNDERWRITER": "GC",
    "GC_DIRECTOR": "GC",
    "COMMUNITY_CLERK": "GC0101",
}

_keys = itertools.count(1)


def fresh_key(label: str = "test") -> str:
    """不重复的幂等键。"""
    return f"{label}-{next(_keys)}"


@dataclass
class County:
    """建好的机构与人。``ids`` 机构代码 → 编号；人员按「岗位@机构」一人一岗，用到才建。"""

    opened_on: date
    ids: dict[str, int]
    group_id: int
    partition_id: int
    gc_group_id: int
    gc_partition_id: int
    _actors: dict[tuple[str, str, int], Actor] = field(default_factory=dict)

    def person(self, username: str, *, name: str = "张三", at: str = "S1") -> int:
        """添一个没有岗位的人，返回编号；密码是 ``PASSWORD``，无须改密。"""
        result = access.add_person(
            actor=SYSTEM,
            key=fresh_key("person"),
            on=self.opened_on,
            username=username,
            name=name,
            institution_id=self.ids[at],
            password=SecretStr(PASSWORD),
            must_change_password=False,
        )
        return int(result["person_id"])

    def grant(self, person_id: int, post_code: str, *, at: str | None = None) -> Actor:
        """给岗位，返回以该岗位行事的操作人。"""
        held = access.grant_post(
            actor=SYSTEM,
            key=fresh_key("grant"),
            on=self.opened_on,
            person_id=person_id,
            institution_id=self.ids[at or DEFAULT_SEATS[post_code]],
            post_code=post_code,
        )
        return actor_for(held["holding_id"], self.opened_on)

    def actor(self, post_code: str, *, at: str | None = None, nth: int = 1) -> Actor:
        """某岗位在某机构的第 ``nth`` 个人；同样的参数总是同一人。"""
        seat = at or DEFAULT_SEATS[post_code]
        slot = (post_code, seat, nth)
        if slot not in self._actors:
            post = find_post(post_code)
            assert post is not None, post_code
            username = f"{post_code}.{seat}.{nth}".lower()
            person_id = self.person(username, name=f"{post.name}{seat}-{nth}", at=seat)
            self._actors[slot] = self.grant(person_id, post_code, at=seat)
        return self._actors[slot]


def open_county(on: date = OPENING_DAY, *, years: tuple[int, int] = (2025, 2030)) -> County:
    """建机构树、两个营业日组（银行、担保中心各一）与年历，营业日为 ``on``。"""
    ids: dict[str, int] = {}
    for code, (name, kind, parent) in INSTITUTIONS.items():
        result = access.open_institution(
            actor=SYSTEM,
            key=fresh_key("open"),
            on=on,
            code=code,
            name=name,
            kind=kind,
            parent_id=ids[parent] if parent else None,
        )
        ids[code] = result["institution_id"]
    groups = {}
    for code, name, root in (("BANK", "青川县农村商业银行", "HO"), ("GC", "担保中心", "GC")):
        group = businessday.open_group(
            actor=SYSTEM, key=fresh_key("group"), on=on, code=code, name=name, business_date=on
        )
        businessday.assign_institution(
            actor=SYSTEM,
            key=fresh_key("assign"),
            on=on,
            institution_id=ids[root],
            partition_id=group["partition_ids"][0],
        )
        groups[code] = group
    businessday.seed_calendar(actor=SYSTEM, key=fresh_key("calendar"), on=on, first_year=years[0], last_year=years[1])
    return County(
        opened_on=on,
        ids=ids,
        group_id=groups["BANK"]["group_id"],
        partition_id=groups["BANK"]["partition_ids"][0],
        gc_group_id=groups["GC"]["group_id"],
        gc_partition_id=groups["GC"]["partition_ids"][0],
    )
