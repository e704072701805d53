"""What tests of the database share."""

from collections.abc import Iterator

import pytest

from app.kernel.settings import Settings
from tests.kernel.between import Between


@pytest.fixture
def url(settings: Settings) -> str:
    """Of the database that this worker's tests share."""
    assert settings.database_url is not None
    return settings.database_url


@pytest.fixture
def between(url: str) -> Iterator[Between]:
    """What stands between the application and its database."""
    with Between(url) as made:
        yield made
