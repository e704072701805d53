"""What tests of the API share."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.kernel.db import Direct
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from tests.api.probe import Probe
from tests.builders import Clinic, a_clinic
from tests.conftest import SIGNING_KEYS, Behind
from tests.kernel.between import Between


def as_read(answer: dict[str, Any]) -> dict[str, Any]:
    """What was written, as it is read afterwards: without the safety block of the answer."""
    return {name: value for name, value in answer.items() if name != "safety"}


@pytest.fixture
def between(settings: Settings) -> Iterator[Between]:
    """What hears every statement on its way to the database."""
    assert settings.database_url is not None
    with Between(settings.database_url) as between:
        yield between


@pytest.fixture
def overheard(settings: Settings, keyring: Keyring, between: Between) -> Iterator[TestClient]:
    """An API that talks to the database through `between`."""
    tapped = settings.model_copy(update={"database_url": between.url})
    application = create_app(tapped, keyring, SigningKeys.parse(SIGNING_KEYS))
    with TestClient(application, client=(uuid4().hex, 1)) as client:
        yield client


@pytest.fixture(scope="module")
def clinic(client: TestClient, direct: Direct) -> Clinic:
    """One for all tests of a module, where nothing that is sent is stored."""
    return a_clinic(client, direct)


@pytest.fixture
def probe(clinic: Clinic, behind: Behind, capfd: pytest.CaptureFixture[str]) -> Probe:
    """See its class."""
    return Probe(clinic, behind, capfd)
