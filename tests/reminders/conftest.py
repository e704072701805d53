"""What tests of reminders stand on."""

from collections.abc import Iterator

import pytest
import structlog

from app.kernel.settings import Settings
from app.kernel.vault import Keyring
from tests.conftest import Clock
from tests.reminders.ward import Ward, a_ward


@pytest.fixture
def ward(fresh_database: Settings, keyring: Keyring, clock: Clock) -> Iterator[Ward]:
    """In UTC, on a Monday at noon. The patient came long ago, and nothing is open."""
    with a_ward(fresh_database, keyring, clock) as made:
        yield made


@pytest.fixture(autouse=True)
def _silent_log() -> Iterator[None]:
    structlog.configure(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
    yield
    structlog.reset_defaults()
