"""The environment, and the files that hold secrets."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.kernel.settings import Settings, read_or_make, write_secret


@pytest.fixture(autouse=True)
def _an_empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AFTERGLOW_"):
            monkeypatch.delenv(name)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestSettings:
    def test_nothing_needs_to_be_set(self) -> None:
        settings = Settings()

        assert settings.database_url is None
        assert settings.base_url == "http://127.0.0.1:8000"

    def test_every_setting_is_read_from_its_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AFTERGLOW_PORT", "9000")
        monkeypatch.setenv("AFTERGLOW_DATA_DIR", "/somewhere/else")

        settings = Settings()

        assert (settings.port, settings.data_dir) == (9000, Path("/somewhere/else"))

    def test_the_public_address_wins_and_has_no_slash_at_its_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AFTERGLOW_PUBLIC_URL", "https://journal.example/")

        assert Settings().base_url == "https://journal.example"

    @pytest.mark.parametrize(
        ("name", "value"),
        [("PORT", "-1"), ("PORT", "65536"), ("PORT", "http"), ("CONNECTIONS", "0")],
    )
    def test_what_cannot_be_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(f"AFTERGLOW_{name}", value)

        with pytest.raises(ValidationError):
            Settings()

    def test_nothing_changes_after_it_was_read(self) -> None:
        with pytest.raises(ValidationError):
            Settings().port = 1  # type: ignore[misc]


class TestSecrets:
    def test_a_secret_is_made_once_and_only_its_owner_reads_it(self, tmp_path: Path) -> None:
        path = tmp_path / "keys" / "deep" / "secret.json"

        assert read_or_make(path, lambda: "first") == "first"
        assert read_or_make(path, lambda: "second") == "first"
        assert mode(path) == 0o600
        assert mode(path.parent) == 0o700

    def test_of_many_that_make_it_at_once_all_read_the_same(self, tmp_path: Path) -> None:
        for round_ in range(20):
            path = tmp_path / str(round_)

            with ThreadPoolExecutor(8) as threads:
                read = set(
                    threads.map(lambda n, at=path: read_or_make(at, lambda: str(n)), range(8))
                )

            assert len(read) == 1

    def test_the_first_writer_wins_where_nothing_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        write_secret(path, "first", replace=False)

        write_secret(path, "second", replace=False)

        assert path.read_text() == "first"

    def test_a_secret_is_replaced_whole_and_stays_private(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        path.write_text("old")
        path.chmod(0o644)

        write_secret(path, "new")

        assert (path.read_text(), mode(path)) == ("new", 0o600)

    def test_no_draft_is_left_beside_it(self, tmp_path: Path) -> None:
        write_secret(tmp_path / "secret", "one", replace=False)
        write_secret(tmp_path / "secret", "two", replace=False)
        write_secret(tmp_path / "secret", "three")

        assert [path.name for path in tmp_path.iterdir()] == ["secret"]
