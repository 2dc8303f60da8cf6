"""借据操作测试共用的支行。"""

import pytest

from tests.support.office import Office, open_office


@pytest.fixture
def office(db: None) -> Office:
    """柳溪支行。"""
    return open_office()
