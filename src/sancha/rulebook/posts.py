"""岗位目录：把 ``posts.yaml`` 读成有类型、校验过的数据。没有 Django。

权限只从岗位来：任职给人岗位，岗位给权限。来源 ORG-2、ORG-3、SEC-1。
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

ANY_POST = "*"

# 只读岗位可以有的权限：动词不在其中的都算写业务数据（self 只改本人密码）。
READING_VERBS = frozenset({"view", "oversee", "reveal", "export", "use", "self"})


class Frozen(BaseModel):
    """不可变、不许多字段：规则文件写错一个字就应当报错。"""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Within(StrEnum):
    """不得兼任的范围：同一机构、同一条隶属线、任何地方。"""

    INSTITUTION = "institution"
    LINE = "line"
    ANYWHERE = "anywhere"


class Post(Frozen):
    """岗位。``kinds`` 是可设的机构类别，``permissions`` 是全部权限（公共与成组的都已并入）。

    ``second_factor`` 为真的岗位登录须有第二因素（SEC-1；是否强制由部署设置）。
    """

    code: str
    name: str
    kinds: tuple[str, ...]
    duties: str
    permissions: frozenset[str]
    clause: str
    read_only: bool = False
    second_factor: bool = False


class Incompatibility(Frozen):
    """不得兼任：``posts`` 与 ``against`` 之间互斥；``against`` 空则 ``posts`` 之中两两互斥。"""

    rule: str
    name: str
    posts: tuple[str, ...]
    against: tuple[str, ...] = ()
    within: Within
    clause: str

    def forbids(self, one: str, other: str) -> bool:
        """两个岗位是否互斥（与次序无关；同一岗位不与自己互斥）。"""
        if one == other:
            return False
        if not self.against:
            return one in self.posts and other in self.posts
        return self._crosses(one, other) or self._crosses(other, one)

    def _crosses(self, one: str, other: str) -> bool:
        return one in self.posts and (other in self.against or ANY_POST in self.against)


class _PostEntry(Frozen):
    code: str
    name: str
    kinds: tuple[str, ...] = Field(min_length=1)
    duties: str
    sets: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    read_only: bool = False
    second_factor: bool = False
    clause: str


class PostBook(Frozen):
    """岗位目录全书：文件的样子，加上交叉校验。"""

    permissions: dict[str, str]
    common: tuple[str, ...]
    sets: dict[str, tuple[str, ...]]
    posts: tuple[_PostEntry, ...]
    incompatible: tuple[Incompatibility, ...]

    @model_validator(mode="after")
    def _cross_check(self) -> Self:
        known = set(self.permissions)
        codes = [entry.code for entry in self.posts]
        if len(codes) != len(set(codes)):
            raise ValueError("posts.yaml: 岗位代码重复")
        for group, names in {"common": self.common, **self.sets}.items():
            _require_known(names, known, f"{group} 中的权限")
        for entry in self.posts:
            _require_known(entry.permissions, known, f"岗位 {entry.code} 的权限")
            _require_known(entry.sets, set(self.sets), f"岗位 {entry.code} 的权限组")
            writes = {name for name in self.permissions_of(entry) if name.split(".")[1] not in READING_VERBS}
            if entry.read_only and writes:
                raise ValueError(f"posts.yaml: 只读岗位 {entry.code} 有写权限 {sorted(writes)}")
        for rule in self.incompatible:
            _require_known(rule.posts + rule.against, {*codes, ANY_POST}, f"规则 {rule.rule} 的岗位")
        return self

    def permissions_of(self, entry: _PostEntry) -> frozenset[str]:
        """并入公共与成组权限。"""
        grouped = (name for group in entry.sets for name in self.sets[group])
        return frozenset((*self.common, *grouped, *entry.permissions))


def _require_known(names: tuple[str, ...], known: set[str], what: str) -> None:
    if unknown := sorted(set(names) - known):
        raise ValueError(f"posts.yaml: {what}未定义：{unknown}")


@cache
def book() -> PostBook:
    """读入并校验 ``posts.yaml``（进程内一次）。

    :raises pydantic.ValidationError: 文件有误；系统不该带着错的权限表启动。
    """
    text = resources.files("sancha.rulebook").joinpath("posts.yaml").read_text(encoding="utf-8")
    return PostBook.model_validate(yaml.safe_load(text))


@cache
def posts() -> dict[str, Post]:
    """全部岗位，按代码。"""
    return {
        entry.code: Post(
            code=entry.code,
            name=entry.name,
            kinds=entry.kinds,
            duties=entry.duties,
            permissions=book().permissions_of(entry),
            clause=entry.clause,
            read_only=entry.read_only,
            second_factor=entry.second_factor,
        )
        for entry in book().posts
    }


def find_post(code: str) -> Post | None:
    """按代码取岗位，没有则空。"""
    return posts().get(code)


def posts_at(kind: str) -> list[Post]:
    """可设在某类机构的岗位，按目录次序：授岗时的选单。"""
    return [post for post in posts().values() if kind in post.kinds]


def post_name(code: str) -> str:
    """岗位中文名；目录里已没有的旧岗位原样返回代码，历史记录仍能显示。"""
    post = find_post(code)
    return post.name if post else code


def needs_second_factor(code: str) -> bool:
    """这个岗位登录是否须有第二因素。"""
    post = find_post(code)
    return post is not None and post.second_factor


def permission_names() -> dict[str, str]:
    """权限代码 → 中文名。"""
    return book().permissions


def conflict_between(one: str, other: str, *, same_institution: bool, same_line: bool) -> Incompatibility | None:
    """两个岗位由一人兼任时违反的第一条规则，没有则空。

    ``same_institution`` 两岗在同一机构；``same_line`` 两岗所在机构同线（含相同）。
    """
    reach = {Within.INSTITUTION: same_institution, Within.LINE: same_line, Within.ANYWHERE: True}
    broken = (rule for rule in book().incompatible if reach[rule.within] and rule.forbids(one, other))
    return next(broken, None)
