"""What the tests of access stand on: one stage for each of their modules."""

import pytest
from fastapi.testclient import TestClient

from app.kernel.db import Direct
from tests.contract.stage import Stage, a_stage


@pytest.fixture(scope="module")
def stage(client: TestClient, direct: Direct) -> Stage:
    return a_stage(client, direct)
