"""规则库体检：错误、把握不足的出处、该复核或该补新值的参数、没有被引用的条款与覆盖率。命令行与测试共用。"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from sancha.rulebook.catalog import ROOT, Catalog, Clause, Parameter, read_catalog
from sancha.rulebook.errors import Problem
from sancha.rulebook.materials import Material, read_materials
from sancha.rulebook.packs import ProgramPack, read_packs
from sancha.rulebook.programs import FILE, ProductDefinition, read_products
from sancha.rulebook.rulebase import Rulebase, read_rulebase
from sancha.rulebook.rules import Rule

# Codes that the engine itself asks for; a rulebook without them loads but cannot run the business.
REQUIRED_PARAMETERS = (
    "accrual.nonaccrual_after_dpd",
    "amount.min_fen",
    "amount.step_fen",
    "classification.dpd_thresholds",
    "daycount.default",
    "disclosure.cost_cap_ppm",
    "lpr.1y",
    "lpr.5y",
    "misuse.multiplier_ppm",
    "penalty.compound_policy",
    "penalty.grace_days",
    "penalty.grace_retroactive",
    "penalty.multiplier_ppm",
    "recovery.followup_ladder_dpd",
    "reminder.days_before",
    "repayment.allocation_order",
    "repayment.future_rule",
    "repayment.npl_allocation_order",
    "retention.aml_years",
    "retention.loan_file_years",
    "retention.voucher_years",
    "retention.write_off_permanent",
)
RECHECK_AFTER_DAYS = 365


def lint(*, on: date, root: Path = ROOT) -> list[Problem]:
    """体检：以 ``on`` 为当日检查规则库，返回全部问题，``error`` 在前。不抛错，坏文件也检查到底。"""
    book, problems = read_catalog(root)
    products, product_problems = read_products(root, book)
    base, rule_problems = read_rulebase(root, book)
    packs, pack_problems = read_packs(root, book)
    lists, list_problems = read_materials(root, book, base.facts)
    return [
        *problems,
        *product_problems,
        *rule_problems,
        *pack_problems,
        *list_problems,
        *_missing(book),
        *_unsure(book, products, base),
        *_stale(book, on),
        *_stale_rules(base, on),
        *_unused(book, products, base, packs, lists),
        *_unused_facts(base),
        _coverage(book, products, base),
    ]


def _missing(book: Catalog) -> list[Problem]:
    return [
        Problem("error", "parameters", code, "", "系统运行必需的参数没有定义（或定义有错，未能装载）")
        for code in REQUIRED_PARAMETERS
        if code not in book.parameters
    ]


def _current(book: Catalog, on: date) -> list[Parameter]:
    found = []
    for history in book.parameters.values():
        in_force = [item for item in history if item.effective_from <= on]
        found.extend(in_force[-1:])
    return found


def _unsure(book: Catalog, products: tuple[ProductDefinition, ...], base: Rulebase) -> list[Problem]:
    def why(item: Clause | Parameter | ProductDefinition | Rule) -> str:
        return f"出处标记 {item.origin}，把握不足，请专家核对（{item.source}）"

    return [
        *(
            Problem("unsure", book.files[item.code], item.code, "origin", why(item))
            for item in book.clauses.values()
            if item.unsure
        ),
        *(
            Problem("unsure", book.files[item.code], item.code, f"values from {item.effective_from}", why(item))
            for history in book.parameters.values()
            for item in history
            if item.unsure
        ),
        *(Problem("unsure", FILE, item.code, "origin", why(item)) for item in products if item.unsure),
        *(
            Problem("unsure", base.files[rule.code], rule.code, f"versions from {rule.effective_from}", why(rule))
            for rule in _all_rules(base)
            if rule.unsure
        ),
    ]


def _all_rules(base: Rulebase) -> list[Rule]:
    return [rule for versions in base.rules.values() for rule in versions]


def _stale_rules(base: Rulebase, on: date) -> list[Problem]:
    problems = []
    for rule in _all_rules(base):
        if rule.effective_to is not None and rule.effective_to <= on:
            continue
        place = base.files[rule.code]
        if (age := (on - rule.last_checked).days) > RECHECK_AFTER_DAYS:
            message = f"已 {age} 天没有核对（上次 {rule.last_checked}）"
            problems.append(Problem("stale", place, rule.code, "last_checked", message))
        if not base.book.clause(rule.clause).in_force(max(on, rule.effective_from)):
            message = f"所引条款 {rule.clause} 已失效，须改引现行条款"
            problems.append(Problem("stale", place, rule.code, "clause", message))
    return problems


def _unused_facts(base: Rulebase) -> list[Problem]:
    used = {name for rule in _all_rules(base) for name in rule.fact_names}
    return [
        Problem("unused", base.files[code], code, "", "没有规则用到这个事实") for code in base.facts if code not in used
    ]


def _stale(book: Catalog, on: date) -> list[Problem]:
    problems = []
    for item in _current(book, on):
        place = book.files[item.code]
        if (age := (on - item.last_checked).days) > RECHECK_AFTER_DAYS:
            problems.append(
                Problem("stale", place, item.code, "last_checked", f"已 {age} 天没有核对（上次 {item.last_checked}）")
            )
        cadence = book.expect_new_every_days.get(item.code)
        if cadence and (waited := (on - item.effective_from).days) > cadence:
            problems.append(
                Problem(
                    "stale",
                    place,
                    item.code,
                    "values",
                    f"最新值是 {item.effective_from} 的，已过 {waited} 天，应补新公布的值",
                )
            )
        if not book.clause(item.clause).in_force(on):
            problems.append(
                Problem("stale", place, item.code, "clause", f"所引条款 {item.clause} 已失效，须改引现行条款")
            )
    return problems


def _unused(
    book: Catalog,
    products: tuple[ProductDefinition, ...],
    base: Rulebase,
    packs: dict[str, ProgramPack],
    lists: dict[str, tuple[Material, ...]],
) -> list[Problem]:
    cited = {item.clause for history in book.parameters.values() for item in history}
    cited |= {code for product in products for code in product.clauses}
    cited |= {rule.clause for rule in _all_rules(base)}
    cited |= {step.clause for pack in packs.values() for step in pack.steps}
    cited |= {item.document.clause for listed in lists.values() for item in listed}
    return [
        Problem("unused", book.files[code], code, "", "没有参数、产品、规则、方案或材料清单引用此条款")
        for code in book.clauses
        if code not in cited
    ]


def _coverage(book: Catalog, products: tuple[ProductDefinition, ...], base: Rulebase) -> Problem:
    values = [item for history in book.parameters.values() for item in history]
    sure = sum(not item.unsure for item in values)
    message = (
        f"条款 {len(book.clauses)} 条，参数 {len(book.parameters)} 个、取值 {len(values)} 个"
        f"（出处可靠 {sure} 个，待核 {len(values) - sure} 个），产品 {len(products)} 个，"
        f"规则 {len(base.rules)} 条、例 {sum(len(rule.cases) for rule in _all_rules(base))} 个、事实 {len(base.facts)} 个"
    )
    return Problem("coverage", "", "", "", message)
