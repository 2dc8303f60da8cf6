"""账务模拟：随机营业之下，借据合计 = 账簿合计，每天、过去任一天当时所知，一分不差（books.md）。

大小：``SANCHA_SIM_SEEDS`` 个种子 × ``SANCHA_SIM_DAYS`` 天（缺省 2 × 25）。失败时打印种子与提交号，可原样重演。
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sancha.apps.servicing.models import LoanState
from tests.simulation.business import Business

SEEDS = int(os.environ.get("SANCHA_SIM_SEEDS", "2"))
DAYS = int(os.environ.get("SANCHA_SIM_DAYS", "25"))
FIRST_SEED = int(os.environ.get("SANCHA_SIM_FIRST", "1"))

pytestmark = pytest.mark.django_db


def commit() -> str:
    """当前提交号；不在仓库里就说不知道。"""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent, check=False
    )
    return found.stdout.strip() or "unknown"


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_random_business_keeps_the_books(seed: int) -> None:
    business = Business(seed)
    try:
        business.run(DAYS)
    except BaseException:
        print(f"seed {seed}, day {business.today}, commit {commit()}, so far {dict(business.counts)}")
        raise
    assert not LoanState.objects.filter(held=True).exists(), list(
        LoanState.objects.filter(held=True).values_list("pk", "held_reason")
    )
    assert business.counts["killed"]
    assert business.counts["REVERSAL"]
    print(f"seed {seed}: {dict(business.counts)}")
