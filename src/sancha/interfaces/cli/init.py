"""``sancha init``：真正的机构第一天开门。建库、总机构、营业日组、科目、年历与第一位管理员；没有任何样例登录。

各步的幂等键固定：中途断了，同样的参数再跑一次就接上；建成之后再跑会拒绝。
"""

from __future__ import annotations

import argparse
import uuid
from datetime import date
from pathlib import Path
from typing import Any

from sancha.interfaces.cli.main import Failure, start_django
from sancha.interfaces.cli.serve import migrate

CHARTS = {"BANK": "HEAD_OFFICE", "MICROLOAN_COMPANY": "HEAD_OFFICE", "GUARANTEE_CENTER": "GUARANTEE_CENTER"}
"""科目模板 → 总机构的类别。"""
YEARS_BEFORE, YEARS_AFTER = 5, 10
SHOWN_PROBLEMS = 50
EXAMPLES = """例：
  sancha init --chart BANK --institution-name 青川县农村商业银行 --code QC01 --date 2026-03-02 --admin liming
  sancha init --chart GUARANTEE_CENTER --institution-name 青川县担保中心 --code GC --date 2026-03-02 --admin liming \\
      --institutions 机构.xlsx --people 人员.xlsx --dry-run

机构表的列：机构号、名称、类别、上级机构号（空即总机构）、地址、电话。
人员表的列：用户名、姓名、工号、电话、机构号、岗位（名称或代码，几个以顿号分开）、任职机构号（空即机构号）、起始日（空即开业日）。
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--chart", required=True, choices=sorted(CHARTS), help="科目模板：银行、小额贷款公司、担保中心")
    parser.add_argument("--institution-name", required=True, help="总机构名称")
    parser.add_argument("--code", required=True, help="总机构的机构号")
    parser.add_argument("--date", required=True, type=date.fromisoformat, help="开业日（第一个营业日），如 2026-03-02")
    parser.add_argument("--admin", required=True, help="第一位系统管理员的用户名")
    parser.add_argument("--admin-name", default="系统管理员", help="管理员姓名")
    parser.add_argument("--institutions", type=Path, metavar="FILE.xlsx", help="下级机构表")
    parser.add_argument("--people", type=Path, metavar="FILE.xlsx", help="人员与岗位表")
    parser.add_argument("--dry-run", action="store_true", help="只核对参数与表格，什么也不建")


def run(args: argparse.Namespace) -> Any:
    """执行：先把表格核对完，再建库开门；管理员的首次密码只显示这一次。"""
    start_django()
    from sancha.interfaces.cli import roster as rosters

    kind = CHARTS[args.chart]
    roster = rosters.Roster(rosters.Place(0, args.code, args.institution_name, kind, "", "", ""), args.date)
    if args.institutions:
        roster.read_institutions(args.institutions)
    if args.people:
        roster.read_people(args.people)
    if args.admin.strip().lower() in roster.people:
        raise Failure(f"人员表里不能再有管理员「{args.admin}」，他由 --admin 建立。")
    if roster.problems:
        _refuse(args, roster.problems)
    if args.dry_run:
        counts = {"institutions": len(roster.places) - 1, "people": len(roster.people)}
        if not args.json:
            print(f"核对无误：{counts['institutions']} 家下级机构，{counts['people']} 位人员。什么也没有建。")
        return {"dry_run": True, **counts}
    migrate()
    _require_unfounded(args)
    return _found(args, kind, roster)


def _refuse(args: argparse.Namespace, problems: list[Any]) -> None:
    from dataclasses import asdict

    lines = [str(problem) for problem in problems[:SHOWN_PROBLEMS]]
    more = len(problems) - len(lines)
    text = (
        f"表格有 {len(problems)} 处毛病，什么也没有建：\n  "
        + "\n  ".join(lines)
        + (f"\n  ……另有 {more} 处。" if more else "")
    )
    raise Failure(
        text,
        {
            "code": "ROSTER_WRONG",
            "message": "表格有毛病，什么也没有建。",
            "problems": [asdict(item) for item in problems],
        },
    )


def _require_unfounded(args: argparse.Namespace) -> None:
    """库须是空的，或是同样参数、没做完的上一次。"""
    from sancha.apps.access import queries as access
    from sancha.kit.actor import SYSTEM

    tree = access.institution_tree(SYSTEM, with_closed=True)
    if not tree:
        return
    admin = access.find_person(args.admin)
    finished = admin is not None and bool(access.holdings_of(admin.id, args.date))
    if finished or tree[0].code != args.code:
        raise Failure(
            f"库里已有机构「{tree[0].name}」，不能再开户。要从头开始，请换一个 SANCHA_HOME 或 SANCHA_DATABASE_URL（空库）。"
        )


def _found(args: argparse.Namespace, kind: str, roster: Any) -> dict[str, Any]:
    from sancha.apps.access import operations as access
    from sancha.apps.businessday import operations as businessday
    from sancha.apps.ledger import operations as ledger
    from sancha.interfaces.cli import roster as rosters
    from sancha.kit.actor import SYSTEM

    on: date = args.date
    office = access.open_institution(
        actor=SYSTEM, key="init:office", on=on, code=args.code, name=args.institution_name, kind=kind
    )
    group = businessday.open_group(
        actor=SYSTEM, key="init:group", on=on, code=args.code, name=args.institution_name, business_date=on
    )
    calendar = businessday.seed_calendar(
        actor=SYSTEM, key="init:calendar", on=on, first_year=on.year - YEARS_BEFORE, last_year=on.year + YEARS_AFTER
    )
    chart = ledger.adopt_chart(actor=SYSTEM, key="init:chart", template=args.chart, on=on)
    passwords = rosters.build(roster, actor=SYSTEM, root_id=office["institution_id"])
    businessday.assign_institution(
        actor=SYSTEM,
        key="init:assign",
        on=on,
        institution_id=office["institution_id"],
        partition_id=group["partition_ids"][0],
    )
    admin = access.add_person(
        actor=SYSTEM,
        key="init:admin",
        on=on,
        username=args.admin,
        name=args.admin_name,
        institution_id=office["institution_id"],
    )
    # Made by a run that died before it could show the password: give a new one.
    password = (
        admin["password"]
        or access.reset_password(
            actor=SYSTEM, key=f"init:password:{uuid.uuid4()}", on=on, person_id=admin["person_id"]
        )["password"]
    )
    document = {
        "institution": {"code": args.code, "name": args.institution_name, "id": office["institution_id"]},
        "business_date": on,
        "chart": args.chart,
        "accounts": chart["accounts_created"],
        "calendar_unpublished": calendar["unpublished"],
        "administrator": {"username": args.admin.strip().lower(), "password": password},
        "institutions": len(roster.places) - 1,
        "people": passwords,
    }
    if not args.json:
        _announce(document)
    access.grant_post(
        actor=SYSTEM, key="init:admin-post", on=on, person_id=admin["person_id"], institution_id=office["institution_id"],
        post_code="ADMINISTRATOR",
    )  # fmt: skip
    return document


def _announce(document: dict[str, Any]) -> None:
    office, admin = document["institution"], document["administrator"]
    print(
        f"「{office['name']}」（{office['code']}）已开户，营业日 {document['business_date']}，科目 {document['accounts']} 个。"
    )
    print(f"\n管理员 {admin['username']}　首次密码 {admin['password']}　（只显示这一次，首次登录须改）\n")
    for person in document["people"]:
        print(f"  {person['username']:<16} {person['name']}　{person['password'] or '（上次已显示）'}")
    years = document["calendar_unpublished"]
    if years:
        print(f"\n放假安排尚未公布的年份：{'、'.join(map(str, years))}（按周末推算，公布后由管理员录入）。")
    print("\n下一步：sancha serve，以管理员登录，设机构与岗位；产品、自有账户与期初余额见用户手册。")
