"""What tests of the API share."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.kernel.db import Direct
from tests.api.probe import Probe
from tests.builders import Clinic, a_clinic
from tests.conftest import Behind


def as_read(answer: dict[str, Any]) -> dict[str, Any]:
    """What was written, as it is read afterwards: without the safety block of the answer."""
    return {name: value for name, value in answer.items() if name != "safety"}


@pytest.fixture(scope="module")
def clinic(client: TestClient, direct: Direct) -> Clinic:
    """One for all tests of a module, where nothing that is sent is stored."""
    return a_clinic(client, direct)


@pytest.fixture
def probe(clinic: Clinic, behind: Behind, capfd: pytest.CaptureFixture[str]) -> Probe:
    """See its class."""
    return Probe(clinic, behind, capfd)
