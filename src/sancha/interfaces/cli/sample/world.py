"""样例机构的搭建：机构树、营业日、科目、产品、人员与岗位、自有账户——都走真实操作。"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import get_hasher
from pydantic import SecretStr

from sancha.apps.access import operations as access
from sancha.apps.access import queries as access_queries
from sancha.apps.businessday import operations as businessday
from sancha.apps.businessday import queries as businessday_queries
from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.ledger import operations as ledger
from sancha.apps.products import operations as products
from sancha.interfaces.cli.sample.cast import INSTITUTIONS, LENDERS, STAFF
from sancha.kit.actor import SYSTEM, Actor
from sancha.rulebook.posts import post_name

PASSWORD = "Sancha-demo-2026"
SAMPLE_WORK_FACTOR = 2**10
_keys = itertools.count(1)


def key(label: str) -> str:
    """样例操作的幂等键。"""
    return f"sample-{label}-{next(_keys)}"


@dataclass
class World:
    """搭好的样例机构。"""

    ids: dict[str, int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    products: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    holdings: dict[str, int] = field(default_factory=dict)
    logins: list[dict[str, Any]] = field(default_factory=list)
    group_id: int = 0
    _actors: dict[tuple[str, date], Actor] = field(default_factory=dict)

    @property
    def business_date(self) -> date:
        """当前营业日。"""
        return businessday_queries.group_date(group_id=self.group_id)

    def actor(self, username: str) -> Actor:
        """以某人的岗位行事。"""
        slot = (username, self.business_date)
        if slot not in self._actors:
            self._actors[slot] = access_queries.actor_for(self.holdings[username], self.business_date)
        return self._actors[slot]

    def desk(self, post: str, institution: str) -> Actor:
        """管这家机构的该岗位的人：本机构的，或上级的。"""
        while True:
            for username, _, held, at in STAFF:
                if held == post and at == institution:
                    return self.actor(username)
            parent = INSTITUTIONS[institution][2]
            if parent is None:
                raise LookupError(f"{post} @ {institution}")
            institution = parent

    def publish_logins(self, home: Path) -> None:
        """样例登录写到数据目录，供登录页显示。全部做完才写：有它，就是一套完整的样例。"""
        text = json.dumps(self.logins, ensure_ascii=False, indent=1)
        logins_file(home).write_text(text, encoding="utf-8")


def logins_file(home: Path) -> Path:
    """样例登录所在的文件。"""
    return home / "demo-logins.json"


def build(opened_on: date) -> World:
    """从空库搭起样例机构，营业日为 ``opened_on``。"""
    world = World()
    for code, (name, kind, parent) in INSTITUTIONS.items():
        made = access.open_institution(
            actor=SYSTEM,
            key=key("institution"),
            on=opened_on,
            code=code,
            name=name,
            kind=kind,
            parent_id=world.ids[parent] if parent else None,
        )
        world.ids[code] = made["institution_id"]
    for group_code, group_name, root in (
        ("BANK", "江源农村商业银行", "01"),
        ("CENTER", "清河县创业担保贷款中心", "90"),
    ):
        group = businessday.open_group(
            actor=SYSTEM, key=key("group"), on=opened_on, code=group_code, name=group_name, business_date=opened_on
        )
        businessday.assign_institution(
            actor=SYSTEM,
            key=key("assign"),
            on=opened_on,
            institution_id=world.ids[root],
            partition_id=group["partition_ids"][0],
        )
        world.group_id = world.group_id or group["group_id"]
    businessday.seed_calendar(
        actor=SYSTEM, key=key("calendar"), on=opened_on, first_year=opened_on.year - 3, last_year=opened_on.year + 6
    )
    ledger.adopt_chart(actor=SYSTEM, key=key("chart"), template="BANK", on=opened_on, valid_from=date(2000, 1, 1))
    with _sample_hashing():
        _hire(world, opened_on)
    installed = products.install_samples(actor=SYSTEM, key=key("products"), on=opened_on)
    world.products = installed["installed"]
    for code in LENDERS:
        made = cashdesk.open_own_account(
            actor=SYSTEM,
            key=key("account"),
            institution_id=world.ids[code],
            kind="BANK",
            name=f"{INSTITUTIONS[code][0]}存放款项",
            account_code="1002",
            on=opened_on,
            number=f"6217{code:0>14}",
            bank_name=INSTITUTIONS["01"][0],
        )
        world.accounts[code] = made["own_account_id"]
    return world


@contextmanager
def _sample_hashing() -> Iterator[None]:
    """样例口令印在屏幕上，不值得每个花四分之一秒：照样加盐的 scrypt，迭代少些，只在建样例的这一段。

    哈希里记着迭代次数，本人第一次登录时 Django 就按正式的强度重算。
    """
    hasher: Any = get_hasher()
    hasher.work_factor = SAMPLE_WORK_FACTOR
    try:
        yield
    finally:
        del hasher.work_factor


def _hire(world: World, opened_on: date) -> None:
    for number, (username, name, post, institution) in enumerate(STAFF, start=1):
        person = access.add_person(
            actor=SYSTEM,
            key=key("person"),
            on=opened_on,
            username=username,
            name=name,
            institution_id=world.ids[institution],
            employee_no=f"{number:04d}",
            password=SecretStr(PASSWORD),
            must_change_password=False,
        )
        world.people[username] = person["person_id"]
        holding = access.grant_post(
            actor=SYSTEM,
            key=key("post"),
            on=opened_on,
            person_id=person["person_id"],
            institution_id=world.ids[institution],
            post_code=post,
        )
        world.holdings[username] = holding["holding_id"]
        world.logins.append(
            {
                "username": username,
                "password": PASSWORD,
                "name": name,
                "post": post_name(post),
                "institution": INSTITUTIONS[institution][0],
            }
        )
