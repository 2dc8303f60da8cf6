"""名册：从 Excel（xlsx、csv）读机构、人员与岗位，逐行核对；全部无误才交给操作去建。

机构表的列：机构号、名称、类别、上级机构号、地址、电话。上级空着即归总机构。
人员表的列：用户名、姓名、工号、电话、机构号、岗位、任职机构号、起始日。岗位写名称或代码，几个岗位以顿号分开；
任职机构号空着即机构号，起始日空着即开业日。
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sancha.apps.access import operations as access
from sancha.apps.access.queries import institution_kinds, kinds_under
from sancha.kit.actor import Actor
from sancha.kit.spreadsheets import Row, read_table
from sancha.rulebook.posts import conflict_between, find_post, posts

_SEPARATORS = re.compile(r"[、,，;；\s]+")
INSTITUTION_COLUMNS = ("机构号", "名称", "类别")
PEOPLE_COLUMNS = ("用户名", "姓名", "机构号", "岗位")


@dataclass(frozen=True, slots=True)
class RowProblem:
    """一行的一处毛病：哪个文件、第几行、哪一列、什么值、错在哪、怎么改。"""

    file: str
    row: int
    column: str
    value: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file} 第 {self.row} 行「{self.column}」{self.value or '（空）'}：{self.message}{self.fix}"


@dataclass(frozen=True, slots=True)
class Place:
    """一家待建的机构。"""

    row: int
    code: str
    name: str
    kind: str
    parent: str
    address: str
    phone: str


@dataclass(frozen=True, slots=True)
class Recruit:
    """一位待建的人员与他的岗位（岗位代码，任职机构号）。"""

    row: int
    username: str
    name: str
    employee_no: str
    phone: str
    place: str
    posts: tuple[str, ...]
    serves_at: str
    since: date


class Roster:
    """读好核好的名册；``problems`` 空才可以建。"""

    def __init__(self, root: Place, opened_on: date) -> None:
        self.opened_on = opened_on
        self.places: dict[str, Place] = {root.code: root}
        self.people: dict[str, Recruit] = {}
        self.problems: list[RowProblem] = []
        self._root = root

    # 读 ----------------------------------------------------------------------------------------------------

    def read_institutions(self, path: Path) -> None:
        """读机构表，逐行核对。

        :raises DomainError: 文件读不出或缺列。
        """
        table = read_table(path, required=INSTITUTION_COLUMNS)
        for row in table.rows:
            cell = _cells(row)
            kind = _kind(cell("类别"))
            place = Place(
                row.number, cell("机构号"), cell("名称"), kind, cell("上级机构号") or self._root.code, cell("地址"), cell("电话"),
            )  # fmt: skip
            for column in INSTITUTION_COLUMNS:
                self._require(path, row, column, cell(column))
            if cell("类别") and not kind:
                names = "、".join(label for _, label in institution_kinds())
                self._blame(path, row, "类别", cell("类别"), "不认识的机构类别。", f"可选：{names}。")
            if place.code in self.places:
                self._blame(path, row, "机构号", place.code, "机构号重复。", "请换一个机构号。")
            elif place.code:
                self.places[place.code] = place
        for place in list(self.places.values())[1:]:
            self._check_parent(path, place)

    def read_people(self, path: Path) -> None:
        """读人员表，逐行核对。

        :raises DomainError: 文件读不出或缺列。
        """
        table = read_table(path, required=PEOPLE_COLUMNS)
        for row in table.rows:
            cell = _cells(row)
            for column in PEOPLE_COLUMNS:
                self._require(path, row, column, cell(column))
            recruit = Recruit(
                row.number, cell("用户名").lower(), cell("姓名"), cell("工号"), cell("电话"), cell("机构号"),
                tuple(self._posts(path, row, cell("岗位"))), cell("任职机构号") or cell("机构号"), self._since(path, row, cell("起始日")),
            )  # fmt: skip
            for column, code in (("机构号", recruit.place), ("任职机构号", recruit.serves_at)):
                if code and code not in self.places:
                    self._blame(path, row, column, code, "没有这个机构号。", "请先写进机构表，或更正。")
            if recruit.username in self.people:
                self._blame(path, row, "用户名", recruit.username, "用户名重复。", "一人一行，几个岗位写在一格里。")
            elif recruit.username:
                self.people[recruit.username] = recruit
            self._check_posts(path, row, recruit)

    def _require(self, path: Path, row: Row, column: str, value: str) -> None:
        if not value:
            self._blame(path, row, column, "", "必须填写。", "请补上。")

    def _posts(self, path: Path, row: Row, text: str) -> list[str]:
        names = {post.name: code for code, post in posts().items()}
        codes = []
        for word in filter(None, _SEPARATORS.split(text)):
            code = word if find_post(word) else names.get(word, "")
            if code:
                codes.append(code)
            else:
                self._blame(
                    path,
                    row,
                    "岗位",
                    word,
                    "没有这个岗位。",
                    "请写岗位名称或代码，见「机构与岗位」页或 GET /api/v1/posts。",
                )
        return codes

    def _since(self, path: Path, row: Row, text: str) -> date:
        if not text:
            return self.opened_on
        try:
            return date.fromisoformat(text)
        except ValueError:
            self._blame(path, row, "起始日", text, "不是日期。", "写成 2026-03-02 的样子。")
            return self.opened_on

    def _check_parent(self, path: Path, place: Place) -> None:
        parent = self.places.get(place.parent)
        if parent is None:
            self._add(path, place.row, "上级机构号", place.parent, "没有这个机构号。", "请先写进机构表，或更正。")
            return
        seen, above = {place.code}, parent
        while above.code != self._root.code:
            if above.code in seen:
                self._add(path, place.row, "上级机构号", place.parent, "上下级绕成了圈。", "请更正上级。")
                return
            seen.add(above.code)
            higher = self.places.get(above.parent)
            if higher is None:
                return
            above = higher
        if place.kind and parent.kind and place.kind not in dict(kinds_under(parent.kind)):
            labels = dict(institution_kinds())
            allowed = "、".join(name for kind, name in labels.items() if place.kind in dict(kinds_under(kind)))
            self._add(
                path, place.row, "上级机构号", place.parent, f"{labels[place.kind]}不能设在{labels[parent.kind]}之下。",
                f"上级可以是：{allowed or '（无，只能独立设立）'}。",
            )  # fmt: skip

    def _check_posts(self, path: Path, row: Row, recruit: Recruit) -> None:
        place = self.places.get(recruit.serves_at)
        for index, code in enumerate(recruit.posts):
            post = posts()[code]
            if place is not None and place.kind and place.kind not in post.kinds:
                self._blame(path, row, "岗位", post.name, f"不能设在「{place.name}」。", "请更正岗位或任职机构。")
            for other in recruit.posts[:index]:
                rule = conflict_between(code, other, same_institution=True, same_line=True)
                if rule is not None:
                    names = f"{posts()[other].name}、{post.name}"
                    self._blame(
                        path, row, "岗位", names, f"不得由一人兼任（{rule.clause} {rule.name}）。", "请分给两人。"
                    )

    def _blame(self, path: Path, row: Row, column: str, value: str, message: str, fix: str) -> None:
        self._add(path, row.number, column, value, message, fix)

    def _add(self, path: Path, row: int, column: str, value: str, message: str, fix: str) -> None:
        self.problems.append(RowProblem(path.name, row, column, value, message, fix))

    # 建 ----------------------------------------------------------------------------------------------------

    def in_order(self) -> Iterable[Place]:
        """先上级后下级，不含总机构。"""
        waiting = [place for code, place in self.places.items() if code != self._root.code]
        known = {self._root.code}
        while waiting:
            ready = [place for place in waiting if place.parent in known]
            assert ready, waiting
            yield from ready
            known |= {place.code for place in ready}
            waiting = [place for place in waiting if place.code not in known]


def build(roster: Roster, *, actor: Actor, root_id: int) -> list[dict[str, Any]]:
    """建机构、人员与任职；返回各人的首次密码。键取自机构号与用户名，断了重跑不会建重。"""
    on = roster.opened_on
    ids = {roster._root.code: root_id}
    for place in roster.in_order():
        made = access.open_institution(
            actor=actor, key=f"init:institution:{place.code}", on=on, code=place.code, name=place.name, kind=place.kind,
            parent_id=ids[place.parent], address=place.address, phone=place.phone,
        )  # fmt: skip
        ids[place.code] = made["institution_id"]
    passwords = []
    for recruit in roster.people.values():
        made = access.add_person(
            actor=actor, key=f"init:person:{recruit.username}", on=on, username=recruit.username, name=recruit.name,
            institution_id=ids[recruit.place], employee_no=recruit.employee_no, phone=recruit.phone,
        )  # fmt: skip
        for code in recruit.posts:
            access.grant_post(
                actor=actor, key=f"init:post:{recruit.username}:{code}:{recruit.serves_at}", on=on, person_id=made["person_id"],
                institution_id=ids[recruit.serves_at], post_code=code, valid_from=recruit.since,
            )  # fmt: skip
        passwords.append({"username": recruit.username, "name": recruit.name, "password": made["password"]})
    return passwords


def _cells(row: Row) -> Any:
    return lambda title: row.cells.get(title, "").strip()


def _kind(text: str) -> str:
    for code, label in institution_kinds():
        if text in {code, label}:
            return code
    return ""
