"""自家的代码规矩：整棵树守得住，每条规矩见过它咬人，也见过它不乱咬。"""

from pathlib import Path

import house_rules
import pytest
from house_rules import PACKAGE, ROOT, RULES, Rule

SOURCES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
    if "migrations" not in path.parts
}
BY_CODE = {rule.code: rule for rule in RULES}

VIOLATIONS = [
    ("float-near-money", "kernel/x.py", "share = total_fen / 12"),
    ("float-near-money", "interfaces/web/x.py", "yuan = loan.balance_fen / 100"),
    ("float-near-money", "apps/servicing/queries.py", "yuan = 100 / row['due_fen']"),
    ("float-near-money", "apps/servicing/queries.py", "due_fen /= 2"),
    ("float-near-money", "kit/x.py", "cell = float(row.due_fen)"),
    ("float-near-money", "kit/x.py", "cell = float(str(due_fen))"),
    ("float-near-money", "kernel/x.py", "tax_fen = amount_fen * 0.06"),
    ("wall-clock", "apps/servicing/operations.py", "stamp = datetime.now()"),
    ("wall-clock", "apps/servicing/models.py", "at = models.DateTimeField(default=timezone.now)"),
    ("wall-clock", "apps/servicing/models.py", "at = models.DateTimeField(auto_now_add=True)"),
    ("wall-clock", "interfaces/web/x.py", "day = date.today()"),
    ("wall-clock", "interfaces/web/x.py", "shown = timezone.localtime()"),
    ("wall-clock", "interfaces/web/x.py", "from django.utils.timezone import now"),
    ("wall-clock", "dayclose/engine.py", "started = time.time()"),
    ("rows-at-the-edge", "interfaces/web/x.py", "loans = Loan.objects.all()"),
    ("rows-at-the-edge", "rulebook/x.py", "rows = Rate._default_manager.all()"),
    ("rows-at-the-edge", "config/x.py", "rows = Loan.objects.count()"),
    ("stray-transaction", "apps/servicing/queries.py", "with transaction.atomic():\n    pass"),
    ("stray-transaction", "interfaces/web/x.py", "from django.db.transaction import atomic"),
    ("stray-transaction", "apps/servicing/dayclose.py", "transaction.set_autocommit(False)"),
    ("no-signals", "apps/work/subscribers.py", "from django.dispatch import receiver"),
    ("no-signals", "apps/work/models.py", "from django.db.models import signals"),
    ("no-signals", "apps/work/models.py", "from django.db.models.signals import post_save"),
    ("working-assert", "kernel/x.py", "assert (n := len(rows)) > 0"),
    ("working-assert", "kernel/x.py", "assert queue.pop() == 1"),
    (
        "words-at-import",
        "interfaces/web/x.py",
        'from django.utils.translation import gettext as _\nNAMES = {"fee": _("费用")}',
    ),
    ("chinese-docstring", "kernel/x.py", "def accrue():\n    pass"),
    ("chinese-docstring", "apps/servicing/operations.py", 'def repay():\n    """Post a repayment."""'),
    ("chinese-docstring", "apps/servicing/operations/repay.py", "def repay():\n    pass"),
    ("chinese-docstring", "apps/servicing/queries.py", "def list_loans():\n    pass"),
]

HARMLESS = [
    (
        "float-near-money",
        "kernel/x.py",
        "share = Decimal(total_fen) / periods\nhalf_fen = total_fen // 2\nfolder / name",
    ),
    ("wall-clock", "kit/clock.py", "from django.utils import timezone\ntimezone.now()"),
    ("wall-clock", "kit/operation.py", "from sancha.kit.clock import now\nstamp = now()"),
    ("wall-clock", "kit/operation.py", "from sancha.kit import clock\nstamp = clock.now()\ntime.perf_counter()"),
    ("wall-clock", "interfaces/web/x.py", "shown = timezone.localtime(row.recorded_at)"),
    ("rows-at-the-edge", "apps/servicing/queries.py", "loans = Loan.objects.all()"),
    ("stray-transaction", "apps/servicing/operations.py", "with transaction.atomic():\n    pass"),
    ("stray-transaction", "apps/servicing/operations/repay.py", "with transaction.atomic():\n    pass"),
    ("stray-transaction", "dayclose/engine.py", "with transaction.atomic():\n    pass"),
    ("stray-transaction", "kit/outbox.py", "transaction.on_commit(deliver)"),
    ("no-signals", "apps/work/events.py", "from sancha.kit import outbox"),
    ("working-assert", "kernel/x.py", "assert sum(line.amount_fen for line in lines) == 0"),
    (
        "chinese-docstring",
        "kernel/x.py",
        'def accrue():\n    """计提：到某日为止的应计利息。"""\ndef _part():\n    pass',
    ),
    (
        "words-at-import",
        "interfaces/web/x.py",
        "from django.utils.translation import gettext as _\nfrom django.utils.translation import gettext_lazy\n"
        'NAMES = {"fee": gettext_lazy("费用")}\ndef page():\n    return _("费用")',
    ),
    ("chinese-docstring", "interfaces/web/x.py", "def page():\n    pass"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    found = [violation for path, source in SOURCES.items() for violation in rule.violations(path, source)]

    assert not found, f"{rule.reason}\n" + "\n".join(found)


@pytest.mark.parametrize(("code", "path", "source"), VIOLATIONS)
def test_the_rule_bites(code: str, path: str, source: str) -> None:
    assert BY_CODE[code].violations(path, source)


@pytest.mark.parametrize(("code", "path", "source"), HARMLESS)
def test_the_rule_leaves_good_code_alone(code: str, path: str, source: str) -> None:
    assert BY_CODE[code].violations(path, source) == []


def test_every_rule_has_been_seen_to_bite_and_gives_its_reason() -> None:
    assert {code for code, _, _ in VIOLATIONS} == set(BY_CODE)
    assert all(rule.reason for rule in RULES)


class TestNames:
    def test_no_file_is_a_drawer(self) -> None:
        tests = (path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py"))

        assert [path for path in [*SOURCES, *tests] if house_rules.drawer_named(path)] == []

    @pytest.mark.parametrize("path", ["apps/work/utils.py", "kit/helpers/money.py", "common.py", "tests/misc.py"])
    def test_a_drawer_is_found(self, path: str) -> None:
        assert house_rules.drawer_named(path)


LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
CONFIGS = [
    path
    for pattern in (
        "pyproject.toml",
        "Makefile",
        ".ci/*",
        "requirements/*.in",
        "package*.json",
        ".npmrc",
        "*.cfg",
        "*.ini",
    )
    for path in sorted(ROOT.glob(pattern))
]


class TestHosts:
    """锁文件与配置在谁的机器上都要能用：不点名任何私有主机。"""

    @pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
    def test_a_lock_names_no_host_at_all(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")

        assert house_rules.private_hosts(text, lock=True) == []
        assert "--hash=sha256:" in text

    @pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
    def test_a_config_names_only_public_hosts(self, path: Path) -> None:
        assert house_rules.private_hosts(path.read_text(encoding="utf-8"), lock=False) == []

    @pytest.mark.parametrize(
        ("text", "lock"),
        [
            ("--index-url https://pypi.org/simple", True),
            ("--find-links /srv/wheels", True),
            ("django @ file:///srv/wheels/django.whl", True),
            ("index-url = 'https://user:secret@pypi.corp.example/simple'", False),
            ("proxy = cache.build.internal:3128", False),
            ("server = 192.168.3.7", False),
        ],
    )
    def test_a_private_host_is_found(self, text: str, lock: bool) -> None:
        assert house_rules.private_hosts(text, lock=lock)

    def test_a_hashed_pin_is_no_host(self) -> None:
        assert house_rules.private_hosts("django==5.2.19 \\\n    --hash=sha256:0a1b", lock=True) == []


class TestMachinePaths:
    def test_nothing_points_into_the_machine_it_was_written_on(self) -> None:
        kinds = {".py", ".md", ".toml", ".yaml", ".html", ".in", ".json", ".typ", ".sql"}
        files = [
            path
            for folder in ("src", "tests", "docs", "requirements", ".ci")
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and path.suffix in kinds
        ] + [path for path in ROOT.iterdir() if path.is_file() and (path.suffix in kinds or path.name == "Makefile")]

        assert [
            path.relative_to(ROOT).as_posix()
            for path in files
            if "static" not in path.parts and house_rules.MACHINE_PATH.search(path.read_text(encoding="utf-8"))
        ] == []

    def test_such_a_path_is_found(self) -> None:
        assert house_rules.MACHINE_PATH.search("see " + "/work" + "/shared/design.md")
