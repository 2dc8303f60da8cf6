"""查机构、人员、任职与权限范围。数据范围只在这里定义一次（``in_scope``）。"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Q, QuerySet

from sancha.apps.access.models import (
    PARENT_KINDS,
    Institution,
    InstitutionKind,
    Person,
    Placement,
    PostHolding,
)
from sancha.kit.actor import Actor
from sancha.kit.dated import not_ended, standing, valid_on
from sancha.kit.errors import NotFound, NotPermitted
from sancha.kit.labels import Labels, labels
from sancha.kit.models import ApiToken
from sancha.kit.operation import keyed_digest
from sancha.kit.paging import Page, paginate
from sancha.rulebook.posts import find_post, post_name

EVERYWHERE = "/"


@dataclass(frozen=True, slots=True)
class InstitutionInfo:
    """机构一览行。``depth`` 从 0 起，画树用。"""

    id: int
    code: str
    name: str
    kind: str
    kind_name: str
    parent_id: int | None
    path: str
    is_open: bool
    address: str
    phone: str

    @property
    def depth(self) -> int:
        """在树中的层数，根为 0。"""
        return self.path.count("/") - 2


@dataclass(frozen=True, slots=True)
class PlacementInfo:
    """一条隶属记录：自某日起归谁管（空为独立机构）。"""

    parent_name: str
    valid_from: date
    booked_on: date
    recorded_by_id: int | None


@dataclass(frozen=True, slots=True)
class InstitutionDetail:
    """一家机构的全貌：设立与撤销日、上级、历次隶属、当日在任人员。"""

    info: InstitutionInfo
    parent_name: str
    opened_on: date
    closed_on: date | None
    placements: tuple[PlacementInfo, ...]
    holders: tuple[tuple[str, HoldingInfo], ...]


@dataclass(frozen=True, slots=True)
class HoldingInfo:
    """一段任职。``id`` 是当前版本的编号；``valid_to`` 不含当日，空为长期。"""

    id: int
    person_id: int
    post_code: str
    post_name: str
    institution_id: int
    institution_code: str
    institution_name: str
    institution_path: str
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class PersonInfo:
    """人员一览行，附当日任职。"""

    id: int
    username: str
    name: str
    employee_no: str
    phone: str
    institution_id: int
    institution_name: str
    is_active: bool
    must_change_password: bool
    holdings: tuple[HoldingInfo, ...]


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """接口令牌一览行（没有明文，也没有摘要）。"""

    id: int
    name: str
    person_id: int
    person_name: str
    holding_id: int
    created_at: datetime
    expires_on: date | None
    revoked_at: datetime | None


# 数据范围 ---------------------------------------------------------------------------------------------------


def in_scope(actor: Actor, field: str = "institution") -> Q:
    """数据范围：该岗位所在机构及其下级。

    ``field`` 是查询集里指向机构的外键名（可带 ``__``）；空串表示查询集就是机构本身。
    """
    if actor.institution_path == EVERYWHERE:
        return Q()
    prefix = f"{field}__" if field else ""
    return Q(**{f"{prefix}path__startswith": actor.institution_path})


def require_institution(actor: Actor, institution_id: int) -> InstitutionInfo:
    """取范围内的机构。

    :raises NotFound: 没有，或在范围之外（两者不作区分）。
    """
    row = Institution.objects.filter(in_scope(actor, ""), pk=institution_id).first()
    if row is None:
        raise NotFound(
            "INSTITUTION_NOT_FOUND",
            f"没有编号为 {institution_id} 的机构，或不在您的管辖范围内。",
            field="institution_id",
            value=institution_id,
            fix="请从机构列表中选择。",
        )
    return _institution_info(row)


# 机构 ------------------------------------------------------------------------------------------------------


def institution_tree(actor: Actor, *, with_closed: bool = False) -> list[InstitutionInfo]:
    """范围内的机构树，先根后枝、同级按设立先后。"""
    rows = Institution.objects.filter(in_scope(actor, ""))
    if not with_closed:
        rows = rows.filter(is_open=True)
    return sorted(
        (_institution_info(row) for row in rows), key=lambda info: [int(p) for p in info.path.split("/") if p]
    )


def institution_detail(actor: Actor, institution_id: int, *, on: date) -> InstitutionDetail:
    """一家机构的全貌。四条查询。

    :raises NotFound: 没有，或在范围之外。
    """
    info = require_institution(actor, institution_id)
    row = Institution.objects.select_related("parent").get(pk=institution_id)
    placed = Placement.objects.filter(institution=row).select_related("parent").order_by("-seq")
    held = standing_holdings().filter(not_ended(on), institution=row).select_related("person", "institution")
    return InstitutionDetail(
        info=info,
        parent_name=row.parent.name if row.parent else "",
        opened_on=row.opened_on,
        closed_on=row.closed_on,
        placements=tuple(
            PlacementInfo(item.parent.name if item.parent else "", item.valid_from, item.booked_on, item.recorded_by_id)
            for item in placed
        ),
        holders=tuple((item.person.name, _holding_info(item)) for item in held.order_by("post_code", "pk")),
    )


def institution_kinds() -> list[tuple[str, str]]:
    """机构类别的代码与中文名：表单、命令行与接口都用这一份。"""
    return [(str(value), str(name)) for value, name in InstitutionKind.choices]


def kinds_under(parent_kind: str) -> list[tuple[str, str]]:
    """某类机构之下可以设的类别。"""
    return [(value, name) for value, name in institution_kinds() if InstitutionKind(parent_kind) in PARENT_KINDS[value]]


def find_institution(code: str) -> InstitutionInfo | None:
    """按机构号找机构，没有则空。不看数据范围，只供导入与命令行对照。"""
    row = Institution.objects.filter(code=code.strip()).first()
    return _institution_info(row) if row else None


def institutions_by_id(ids: Iterable[int]) -> dict[int, InstitutionInfo]:
    """一次取多个机构。"""
    return {row.pk: _institution_info(row) for row in Institution.objects.filter(pk__in=set(ids))}


def full_name(institution_id: int) -> str:
    """机构全称，合同与告知上用：总机构名称接机构名称，如「江源农村商业银行城关支行」。"""
    place = institutions_by_id([institution_id])[institution_id]
    root_id = int(place.path.split("/")[1])
    root = institutions_by_id([root_id])[root_id]
    return place.name if root_id == institution_id else f"{root.name}{place.name}"


def institutions_by_code(codes: Iterable[str]) -> dict[str, InstitutionInfo]:
    """一次按机构号取多个机构（导入用）。"""
    return {row.code: _institution_info(row) for row in Institution.objects.filter(code__in=set(codes))}


def subtree_ids(institution_id: int) -> list[int]:
    """本机构及全部下级的编号。"""
    path = Institution.objects.filter(pk=institution_id).values("path")[:1]
    return list(Institution.objects.filter(path__startswith=path).order_by("pk").values_list("pk", flat=True))


def kinds_on_line(institution_ids: Iterable[int]) -> dict[int, frozenset[str]]:
    """各机构及其全部上级的类别：判断某岗位在这条线上设得设不得。两条查询。"""
    paths = dict(Institution.objects.filter(pk__in=set(institution_ids)).values_list("pk", "path"))
    lines = {pk: [int(part) for part in path.split("/") if part] for pk, path in paths.items()}
    wanted = {part for line in lines.values() for part in line}
    kinds = dict(Institution.objects.filter(pk__in=wanted).values_list("pk", "kind"))
    return {pk: frozenset(kinds[part] for part in line) for pk, line in lines.items()}


def parent_at(institution_id: int, *, on: date, known_on: date | None = None) -> int | None:
    """某日该机构的上级；``known_on`` 给出时，只用那天已经录入的隶属记录。"""
    rows = Placement.objects.filter(institution_id=institution_id, valid_from__lte=on)
    if known_on is not None:
        rows = rows.filter(booked_on__lte=known_on)
    return rows.order_by("-valid_from", "-seq").values_list("parent_id", flat=True).first()


def _institution_info(row: Institution) -> InstitutionInfo:
    return InstitutionInfo(
        id=row.pk,
        code=row.code,
        name=row.name,
        kind=row.kind,
        kind_name=str(InstitutionKind(row.kind).label),
        parent_id=row.parent_id,
        path=row.path,
        is_open=row.is_open,
        address=row.address,
        phone=row.phone,
    )


def lock_person(person_id: int) -> None:
    """锁住此人：别的应用改他的资格时排队进行。须在事务里。"""
    Person.objects.select_for_update().get(pk=person_id)


# 任职 ------------------------------------------------------------------------------------------------------


def standing_holdings(*, known_on: date | None = None) -> QuerySet[PostHolding]:
    """未被盖过的任职记录；``known_on`` 给出时，只看那天及以前录入的。"""
    return standing(PostHolding.objects.all(), known_on=known_on)


def holdings_of(person_id: int, on: date, *, known_on: date | None = None) -> list[HoldingInfo]:
    """某人某日的全部任职。``known_on`` 回答「那天系统以为他任什么职」。"""
    rows = standing_holdings(known_on=known_on).filter(valid_on(on), person_id=person_id, institution__is_open=True)
    return [_holding_info(row) for row in rows.select_related("institution").order_by("valid_from", "pk")]


def holders_of(post_code: str, *, institution_id: int, on: date) -> list[PersonInfo]:
    """某日能以某岗位办某机构事务的人：在该机构或其上级任此岗位、账户启用。指派任务用。"""
    path = Institution.objects.filter(pk=institution_id).values_list("path", flat=True).first() or EVERYWHERE
    line = [int(part) for part in path.split("/") if part]
    rows = standing_holdings().filter(
        valid_on(on), post_code=post_code, institution_id__in=line, person__is_active=True
    )
    people = {row.person_id: row.person for row in rows.select_related("person__institution").order_by("person__name")}
    return [_person_info(person, ()) for person in people.values()]


def desks_with_holders(desks: Collection[tuple[int, str]], *, on: date) -> set[tuple[int, str]]:
    """这些（机构，岗位）里，某日在该机构或其上级有在任人员的。两条查询。"""
    paths = dict(Institution.objects.filter(pk__in={pk for pk, _ in desks}).values_list("pk", "path"))
    rows = standing_holdings().filter(
        valid_on(on),
        post_code__in={post for _, post in desks},
        person__is_active=True,
        institution__is_open=True,
    )
    held = set(rows.values_list("institution_id", "post_code"))
    return {(pk, post) for pk, post in desks if any((int(part), post) in held for part in paths[pk].split("/") if part)}


def remember_holdings(person_id: int) -> Person | None:
    """此人与其全部任职，一条查询；任职记在人身上，供同一请求里的 ``actor_for`` 用。没有任职则空。"""
    rows = list(PostHolding.objects.filter(person_id=person_id).select_related("person", "institution"))
    if not rows:
        return None
    person = rows[0].person
    for row in rows:
        row.person = person
    person.known_holdings = rows
    return person


def actor_for(holding_id: int, on: date, *, person: Any = None) -> Actor:
    """以某段任职登入系统的操作人。

    给旧版本的编号也行：顺着盖过它的记录找到当前版本（任职被改了到期日，会话不至于断）。
    ``person`` 是刚由 ``remember_holdings`` 取到的人时，不再查库。

    :raises NotPermitted: 任职已结束、尚未开始，或人员已停用，或机构已撤销。
    """
    known = getattr(person, "known_holdings", None)
    if known is None:
        owner = PostHolding.objects.filter(pk=holding_id).values("person_id")[:1]
        known = PostHolding.objects.filter(person_id=owner).select_related("person", "institution")
    rows = {row.pk: row for row in known}
    row = rows.get(holding_id)
    newer = {record.supersedes_id: record for record in rows.values() if record.supersedes_id}
    while row is not None and row.pk in newer:
        row = newer[row.pk]
    if row is None or not _is_valid(row, on) or not row.person.is_active or not row.institution.is_open:
        raise NotPermitted(
            "HOLDING_NOT_VALID",
            f"编号 {holding_id} 的任职在 {on.isoformat()} 无效（已结束、未开始，或人员、机构已停用）。",
            field="holding_id",
            value=holding_id,
            fix="请重新选择岗位；如有疑问请联系系统管理员。",
        )
    post = find_post(row.post_code)
    return Actor(
        person_id=row.person_id,
        name=row.person.name,
        post_code=row.post_code,
        institution_id=row.institution_id,
        institution_path=row.institution.path,
        permissions=post.permissions if post else frozenset(),
        post_holding_id=row.pk,
    )


def account_actor(person_id: int) -> Actor:
    """只能维护本人账户的操作人：首次登录改密码、尚未任职时用。

    :raises NotFound: 没有此人或已停用。
    """
    person = Person.objects.select_related("institution").filter(pk=person_id, is_active=True).first()
    if person is None:
        raise NotFound(
            "PERSON_NOT_FOUND",
            "没有此人，或账户已停用。",
            field="person_id",
            value=person_id,
            fix="请重新登录；仍不行的，请系统管理员核对账户。",
        )
    return Actor(
        person_id=person.pk,
        name=person.name,
        post_code="",
        institution_id=person.institution_id,
        institution_path=person.institution.path,
        permissions=frozenset({"access.self"}),
    )


def actor_for_token(secret: str, on: date) -> Actor:
    """以接口令牌登入。令牌只存带钥摘要。

    :raises NotPermitted: 令牌不对、已撤销或过期，或所属任职无效。
    """
    token = ApiToken.objects.filter(digest=keyed_digest(secret), revoked_at__isnull=True).first()
    if token is None or (token.expires_on is not None and token.expires_on < on):
        raise NotPermitted("TOKEN_NOT_VALID", "接口令牌不正确、已撤销或已过期。", fix="请向系统管理员申请新的令牌。")
    return actor_for(token.holding_id, on)


def list_tokens(actor: Actor, *, page: int = 1, size: int = 50) -> Page[TokenInfo]:
    """范围内人员的接口令牌，新签发的在前。两条查询。"""
    rows = ApiToken.objects.filter(in_scope(actor, "person__institution")).select_related("person").order_by("-pk")
    return paginate(
        rows,
        page=page,
        size=size,
        to_row=lambda token: TokenInfo(
            id=token.pk,
            name=token.name,
            person_id=token.person_id,
            person_name=token.person.name,
            holding_id=token.holding_id,
            created_at=token.created_at,
            expires_on=token.expires_on,
            revoked_at=token.revoked_at,
        ),
    )


def _is_valid(row: PostHolding, on: date) -> bool:
    return row.valid_from <= on and (row.valid_to is None or on < row.valid_to)


def _holding_info(row: PostHolding) -> HoldingInfo:
    return HoldingInfo(
        id=row.pk,
        person_id=row.person_id,
        post_code=row.post_code,
        post_name=post_name(row.post_code),
        institution_id=row.institution_id,
        institution_code=row.institution.code,
        institution_name=row.institution.name,
        institution_path=row.institution.path,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


# 人员 ------------------------------------------------------------------------------------------------------


def list_people(
    actor: Actor,
    *,
    on: date,
    text: str = "",
    institution_id: int | None = None,
    active: bool | None = None,
    page: int = 1,
    size: int = 50,
) -> Page[PersonInfo]:
    """范围内的人员（按人事所属）及其当日任职。``text`` 查姓名、用户名、工号；``institution_id`` 含下级。"""
    people = Person.objects.filter(in_scope(actor)).select_related("institution")
    if text := text.strip():
        people = people.filter(Q(name__icontains=text) | Q(username__icontains=text) | Q(employee_no__icontains=text))
    if institution_id is not None:
        path = Institution.objects.filter(pk=institution_id).values("path")[:1]
        people = people.filter(institution__path__startswith=path)
    if active is not None:
        people = people.filter(is_active=active)
    found = paginate(people.order_by("username"), page=page, size=size, to_row=lambda person: person)
    held: dict[int, list[HoldingInfo]] = defaultdict(list)
    rows = standing_holdings().filter(valid_on(on), person_id__in=[person.pk for person in found.rows])
    for row in rows.select_related("institution").order_by("valid_from", "pk"):
        held[row.person_id].append(_holding_info(row))
    return Page(
        rows=[_person_info(person, tuple(held[person.pk])) for person in found.rows],
        total=found.total,
        number=found.number,
        size=found.size,
    )


def person_detail(actor: Actor, person_id: int, *, on: date) -> PersonInfo:
    """范围内的一个人及其当日任职。

    :raises NotFound: 没有，或在范围之外。
    """
    person = Person.objects.filter(in_scope(actor), pk=person_id).select_related("institution").first()
    if person is None:
        raise NotFound(
            "PERSON_NOT_FOUND",
            f"没有编号为 {person_id} 的人员，或不在您的管辖范围内。",
            field="person_id",
            value=person_id,
            fix="请从人员列表中选择。",
        )
    return _person_info(person, tuple(holdings_of(person_id, on)))


def find_person(username: str) -> PersonInfo | None:
    """按用户名找人（不看范围，不带任职），没有则空。供登录与导入对照。"""
    person = Person.objects.filter(username=username.strip().lower()).select_related("institution").first()
    return _person_info(person, ()) if person else None


def person_labels(kind: str, ids: Collection[int]) -> Labels:
    """人员的称呼：姓名。"""
    return labels(Person.objects.all(), kind, ids, "name")


def institution_labels(kind: str, ids: Collection[int]) -> Labels:
    """机构的称呼：名称。"""
    return labels(Institution.objects.all(), kind, ids, "name")


def names_of(person_ids: Iterable[int | None]) -> dict[int, str]:
    """人员编号 → 姓名，一次取多人。"""
    wanted = {pk for pk in person_ids if pk is not None}
    return dict(Person.objects.filter(pk__in=wanted).values_list("pk", "name"))


def holding_history(person_id: int) -> list[tuple[HoldingInfo, date, int | None]]:
    """某人全部任职记录（含被盖过的），连同录入营业日与录入人：审计用。"""
    rows = PostHolding.objects.filter(person_id=person_id).select_related("institution").order_by("pk")
    return [(_holding_info(row), row.booked_on, row.recorded_by_id) for row in rows]


def _person_info(person: Person, holdings: tuple[HoldingInfo, ...]) -> PersonInfo:
    return PersonInfo(
        id=person.pk,
        username=person.username,
        name=person.name,
        employee_no=person.employee_no,
        phone=person.phone,
        institution_id=person.institution_id,
        institution_name=person.institution.name,
        is_active=person.is_active,
        must_change_password=person.must_change_password,
        holdings=holdings,
    )
