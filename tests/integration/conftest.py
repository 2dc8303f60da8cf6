"""各区集成测试共用的县域银行。"""

import pytest

from tests.support.factories_access import County, open_county
from tests.support.flush import lift_guards_while_flushing

lift_guards_while_flushing()


@pytest.fixture
def county(db: None) -> County:
    """一家县域银行与一个担保中心（见 ``tests.support.factories_access``）。"""
    return open_county()
