"""导入契约：每一条都要见过它失败——从没失败过的检查什么也证明不了。

把 ``src/sancha`` 抄到临时目录，每次种下一处违例，只跑被点名的那条契约，它必须断。
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]

# (contract, package that gets a module too many, what this module imports)
SEEDS = [
    ("top", "sancha/kernel", "sancha.apps.servicing"),
    ("top", "sancha/kernel", "sancha.kit.clock"),
    ("top", "sancha/kit", "sancha.rulebook"),
    ("top", "sancha/apps/servicing", "sancha.dayclose"),
    ("top", "sancha/dayclose", "sancha.interfaces.cli"),
    ("top", "sancha/interfaces/web", "sancha.config.settings"),
    ("apps", "sancha/apps/ledger", "sancha.apps.servicing"),
    ("apps", "sancha/apps/access", "sancha.apps.work"),
    ("apps", "sancha/apps/parties", "sancha.apps.products"),
    ("apps", "sancha/apps/servicing", "sancha.apps.recovery"),
    ("apps", "sancha/apps/servicing", "sancha.apps.origination"),
    ("interfaces", "sancha/interfaces/web", "sancha.interfaces.api"),
    ("interfaces", "sancha/interfaces/cli", "sancha.interfaces.web"),
    ("pure-kernel", "sancha/kernel", "django.db"),
    ("pure-kernel", "sancha/kernel", "time"),
    ("rulebook-no-django", "sancha/rulebook", "django.conf"),
    ("models-access", "sancha/interfaces/web", "sancha.apps.access.models"),
    ("models-businessday", "sancha/dayclose", "sancha.apps.businessday.models"),
    ("models-work", "sancha/apps/servicing", "sancha.apps.work.models"),
    ("models-parties", "sancha/interfaces/api", "sancha.apps.parties.models"),
    ("models-products", "sancha/apps/servicing", "sancha.apps.products.models"),
    ("models-ledger", "sancha/apps/servicing", "sancha.apps.ledger.models"),
    ("models-cashdesk", "sancha/apps/recovery", "sancha.apps.cashdesk.models"),
    ("models-servicing", "sancha/dayclose", "sancha.apps.servicing.models"),
    ("apps", "sancha/apps/authority", "sancha.apps.parties"),
    ("models-authority", "sancha/apps/origination", "sancha.apps.authority.models"),
    ("apps", "sancha/apps/agreements", "sancha.apps.origination"),
    ("models-agreements", "sancha/apps/origination", "sancha.apps.agreements.models"),
    ("models-origination", "sancha/apps/recovery", "sancha.apps.origination.models"),
    ("models-webhooks", "sancha/interfaces/web", "sancha.apps.webhooks.models"),
    ("models-kit", "sancha/interfaces/api", "sancha.kit.models"),
    ("models-dayclose", "sancha/interfaces/web", "sancha.dayclose.models"),
]


class Tree:
    """源码的副本：种下违例、跑契约、拔掉。"""

    def __init__(self, root: Path) -> None:
        self.root = root
        keep = shutil.ignore_patterns("__pycache__", "static", "templates", "locale")
        shutil.copytree(ROOT / "src" / "sancha", root / "sancha", ignore=keep)
        shutil.copy(ROOT / "pyproject.toml", root)

    def lint(self, *contracts: str) -> subprocess.CompletedProcess[str]:
        limits = [part for contract in contracts for part in ("--contract", contract)]
        command = [str(LINT_IMPORTS), "--no-logo", "--cache-dir", str(self.root / "cache"), *limits]
        # The script puts its working directory first on the path, so the copy is read and not the installed tree.
        return subprocess.run(
            command, cwd=self.root, env=os.environ | {"COLUMNS": "200"}, capture_output=True, text=True, check=False
        )

    def lint_with(self, module: str, line: str, contract: str) -> subprocess.CompletedProcess[str]:
        seeded = self.root / module
        seeded.write_text(f"{line}\n", encoding="utf-8")
        try:
            return self.lint(contract)
        finally:
            seeded.unlink()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("contracts"))


def name_of(contract: str) -> str:
    return next(entry["name"] for entry in CONTRACTS if entry["id"] == contract)


def test_the_tree_as_it_stands_keeps_every_contract(tree: Tree) -> None:
    done = tree.lint()

    assert done.returncode == 0, done.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in done.stdout


@pytest.mark.parametrize(("contract", "package", "imported"), SEEDS, ids=[f"{s[1]}→{s[2]}" for s in SEEDS])
def test_a_seeded_violation_breaks_its_contract(tree: Tree, contract: str, package: str, imported: str) -> None:
    done = tree.lint_with(f"{package}/seeded_violation.py", f"import {imported}", contract)

    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{name_of(contract)} BROKEN" in done.stdout
    assert "seeded_violation" in done.stdout


@pytest.mark.parametrize(("contract", "module"), [("top", "sancha/utils.py"), ("apps", "sancha/apps/miscellany.py")])
def test_an_unlisted_package_breaks_its_contract(tree: Tree, contract: str, module: str) -> None:
    done = tree.lint_with(module, '"""A drawer for anything."""', contract)

    assert done.returncode == 1, done.stdout + done.stderr
    assert Path(module).stem in done.stdout


def test_every_contract_has_a_seed() -> None:
    assert {entry["id"] for entry in CONTRACTS} == {seed[0] for seed in SEEDS}


def test_the_tables_of_every_app_are_protected() -> None:
    """一个应用一旦有了表，就要有一条保护它的契约；通配符绑不住「只许自己」，所以逐个写。"""
    with_tables = {
        path.parent.name
        for path in (ROOT / "src/sancha/apps").glob("*/models.py")
        if "\nclass " in path.read_text(encoding="utf-8")
    }

    assert with_tables <= {entry["id"].removeprefix("models-") for entry in CONTRACTS if entry["type"] == "protected"}
