"""``sancha import``：存量转入与批量还款。缺省只预检；加 ``--commit`` 才入账。

操作人是跑命令的操作系统用户（装机的人）：他一人送件、一人同意，名字写进复核任务的决定与审计。界面与接口上须两人。
"""

from __future__ import annotations

import argparse
import getpass
import sys
import uuid
from datetime import date
from pathlib import Path
from typing import Any

from sancha.interfaces.cli.main import Failure, start_django

EXAMPLES = """例：
  sancha import loans.csv schedule_local.csv payments.csv --layout kiva --institution S1 --product FARMER_GUARANTEE
  sancha import 贷款台账.xlsx --institution S1 --product FARMER_GUARANTEE --cutover 2026-03-01 --commit --accept-doubts
  sancha import --resume 3
  sancha import 回盘.xlsx --repayments --institution S1
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """参数。"""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument(
        "files",
        nargs="*",
        metavar="文件",
        help="xlsx、csv 或其 .gz；可写 角色=文件（loan、installment、payment、customer）",
    )
    parser.add_argument("--layout", default="", help="版式代码，缺省 sancha；--list-layouts 列出")
    parser.add_argument("--list-layouts", action="store_true", help="列出可用的版式")
    parser.add_argument("--institution", help="缺省机构（机构号）：文件里没有机构列的落在这里")
    parser.add_argument("--product", help="缺省产品（产品代码）")
    parser.add_argument("--cutover", type=date.fromisoformat, help="切换日：余额是哪一天开门的，缺省营业日")
    parser.add_argument("--currency", default="", help="币种，缺省依版式")
    parser.add_argument(
        "--basis", default="AUTO", choices=["AUTO", "HISTORY", "BALANCE"], help="照历史、只按余额，或逐笔判断"
    )
    parser.add_argument("--shift-months", type=int, default=0, help="日期整体平移若干个月（用旧数据演示）")
    parser.add_argument("--existing-customers-only", action="store_true", help="没有登记过的客户算错误，不自动建档")
    parser.add_argument("--report", type=Path, help="把每一处毛病写进这个文件（.xlsx 或 .csv）")
    parser.add_argument("--commit", action="store_true", help="预检之后由操作系统用户同意并入账")
    parser.add_argument("--accept-doubts", action="store_true", help="认可存疑")
    parser.add_argument("--only-good", action="store_true", help="有错误的借据留下，只转入没有错误的")
    parser.add_argument("--resume", type=int, metavar="批次", help="继续一个做了一半的批次")
    parser.add_argument("--repayments", action="store_true", help="批量还款：逐行入账")
    parser.add_argument("--stop-on-error", action="store_true", help="批量还款：有一行不成立就一行也不入")
    parser.add_argument("--allow-overpayment", action="store_true", help="批量还款：多出应还的记溢缴款")


def run(args: argparse.Namespace) -> Any:
    """执行。"""
    start_django()
    from sancha.apps.servicing.importing import queries
    from sancha.kit.actor import SYSTEM

    if args.list_layouts:
        rows = queries.layouts(actor=SYSTEM)
        if not args.json:
            for row in rows:
                print(
                    f"{row.code:<20} {row.name}　{row.currency}　{'、'.join(row.roles)}{'　（' + row.unsure + '）' if row.unsure else ''}"
                )
        return {
            "layouts": [
                {"code": row.code, "name": row.name, "currency": row.currency, "roles": row.roles, "unsure": row.unsure}
                for row in rows
            ]
        }
    if args.resume is not None:
        return _resume(args)
    if not args.files:
        raise Failure("没有给文件。用 --help 看用法，--list-layouts 看版式。")
    return _repayments(args) if args.repayments else _portfolio(args)


def _portfolio(args: argparse.Namespace) -> Any:
    from sancha.apps.servicing.importing import queries
    from sancha.apps.servicing.operations import importing
    from sancha.kit.actor import SYSTEM

    institution_id, on = _place(args)
    staged = importing.stage_import(
        actor=SYSTEM,
        key=_fresh_key(),
        on=on,
        files=_sources(args.files),
        layout=args.layout or "sancha",
        institution_id=institution_id,
        product_id=_product(args.product),
        cutover_on=args.cutover,
        currency=args.currency,
        basis=args.basis,
        shift_months=args.shift_months,
        create_customers=not args.existing_customers_only,
        os_user=_os_user(),
    )
    detail = queries.batch_detail(actor=SYSTEM, batch_id=staged["batch_id"])
    if not args.json:
        _show(detail, existing=staged["existing"])
    if args.report:
        _write_report(args.report, staged["batch_id"])
    if not args.commit:
        if not args.json and detail.row.status == "STAGED":
            print(
                "以上是预检，账上没有动；复核任务已开给会计主管。入账：由他同意，"
                f"或在这里加 --commit；或 sancha import --resume {staged['batch_id']} --accept-doubts"
            )
        return staged
    return _commit(args, staged["batch_id"], on)


def _resume(args: argparse.Namespace) -> Any:
    from sancha.apps.businessday import queries as businessday
    from sancha.apps.servicing.importing import queries
    from sancha.kit.actor import SYSTEM

    detail = queries.batch_detail(actor=SYSTEM, batch_id=args.resume)
    return _commit(args, args.resume, businessday.business_date(institution_id=detail.row.institution_id))


def _commit(args: argparse.Namespace, batch_id: int, on: date) -> Any:
    from sancha.apps.servicing.operations import importing
    from sancha.kit.actor import SYSTEM

    done = importing.install_import(
        actor=SYSTEM,
        key=_fresh_key(),
        on=on,
        batch_id=batch_id,
        os_user=_os_user(),
        accept_doubts=args.accept_doubts,
        only_good=args.only_good,
        progress=_progress(args),
    )
    if not args.json:
        print(
            f"批次 {batch_id}：{done['status_name']}，入账 {done['imported']} 笔，失败 {done['failed']} 笔，对账差异 {done['differences_open']} 处。"
        )
    if done["status"] != "DONE":
        raise Failure(
            f"批次 {batch_id} 没有全部转入，失败 {done['failed']} 笔。看过报告后用 --resume {batch_id} 继续。", done
        )
    return done


def _repayments(args: argparse.Namespace) -> Any:
    from sancha.apps.servicing.operations import importing
    from sancha.kit.actor import SYSTEM

    if len(args.files) != 1:
        raise Failure("批量还款一次送一个文件。")
    institution_id, on = _place(args)
    done = importing.post_repayments_file(
        actor=SYSTEM,
        key=_fresh_key(),
        on=on,
        file=_sources(args.files)[0],
        institution_id=institution_id,
        layout=args.layout or "sancha_repayments",
        stop_on_error=args.stop_on_error,
        allow_overpayment=args.allow_overpayment,
        os_user=_os_user(),
        progress=_progress(args),
    )
    if args.report:
        _write_report(args.report, done["batch_id"])
    bad = [row for row in done["rows"] if row["status"] in {"ERROR", "FAILED", "READY"}]
    if not args.json:
        print(
            f"批次 {done['batch_id']}{'（同样的文件送过）' if done['existing'] else ''}：{len(done['rows'])} 行，{done['counts']}"
        )
        for row in bad[:20]:
            for problem in row["problems"]:
                print(f"  第 {row['row']} 行 {row['ref']}：{problem['message']}　{problem['fix']}")
    if bad:
        raise Failure(
            f"{len(bad)} 行没有入账，其余已入账；更正后重新送件，已入账的不会重复。",
            {"batch_id": done["batch_id"], "counts": done["counts"], "rows": bad},
        )
    return done


def _os_user() -> str:
    """跑命令的操作系统用户。"""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return "unknown"


def _fresh_key() -> str:
    return f"cli-{uuid.uuid4().hex}"


def _place(args: argparse.Namespace) -> tuple[int, date]:
    from sancha.apps.access import queries as access
    from sancha.apps.businessday import queries as businessday

    if not args.institution:
        raise Failure("请用 --institution 指定机构号。")
    found = access.find_institution(args.institution)
    if found is None:
        raise Failure(f"没有机构号为「{args.institution}」的机构。")
    return found.id, businessday.business_date(institution_id=found.id)


def _product(code: str | None) -> int | None:
    from sancha.apps.products import queries as products

    if not code:
        return None
    found = products.product_ids([code]).get(code)
    if found is None:
        raise Failure(f"没有代码为「{code}」的产品。")
    return found


def _sources(names: list[str]) -> list[Any]:
    from sancha.apps.servicing.importing.layout import MAIN_ROLES
    from sancha.apps.servicing.importing.reading import SourceFile

    sources = []
    for name in names:
        role, mark, rest = name.partition("=")
        role, path = (role, Path(rest)) if mark and role in MAIN_ROLES else ("", Path(name))
        if not path.is_file():
            raise Failure(f"没有文件 {path}。")
        sources.append(SourceFile(path.name, path.read_bytes(), role))
    return sources


def _progress(args: argparse.Namespace) -> Any:
    show = sys.stderr.isatty() and not args.json

    def tell(name: str, done: int, total: int) -> None:
        if show:
            print(f"\r{name} {done}/{total}    ", end="\n" if done >= total else "", file=sys.stderr, flush=True)

    return tell


def _show(detail: Any, *, existing: bool) -> None:
    from sancha.kernel.money import format_yuan

    summary = detail.row.summary
    print(f"批次 {detail.row.id}（{detail.row.status_name}）{'　同样的文件已送过' if existing else ''}")
    for item in detail.files:
        print(f"  {item['name']}　{item['role']}　{item['rows']} 行")
    print(
        f"借据 {summary['loans']} 笔：可转入 {summary['ready']}（其中存疑 {summary['doubts']}），有错误 {summary['errors']}，"
        f"不转入 {summary['skipped']}；无主的行 {summary['orphans']}"
    )
    print(
        f"金额 {format_yuan(summary['amount_fen'])}　余额 {format_yuan(summary['balance_fen'])}　"
        f"还款 {format_yuan(summary['payments_fen'])}　币种 {detail.options['currency']}"
    )
    for severity, code, name, count in detail.rules:
        print(f"  {severity} {name}（{code}）{count} 处")
    for text in detail.assumptions:
        print(f"  假定：{text}")


def _write_report(path: Path, batch_id: int) -> None:
    from sancha.apps.servicing.importing import queries
    from sancha.kit.actor import SYSTEM
    from sancha.kit.spreadsheets import write_csv, write_table

    lines = queries.problem_lines(actor=SYSTEM, batch_id=batch_id)
    if path.suffix.lower() == ".csv":
        with path.open("wb") as stream:
            write_csv(stream, columns=queries.PROBLEM_COLUMNS, rows=lines)
    else:
        write_table(path, columns=queries.PROBLEM_COLUMNS, rows=lines, sheet="存疑")
