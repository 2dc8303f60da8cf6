"""受理的柜台。"""

import pytest

from tests.support.applications import Desk, open_desk
from tests.support.factories_access import County


@pytest.fixture
def desk(county: County) -> Desk:
    return open_desk(county)
