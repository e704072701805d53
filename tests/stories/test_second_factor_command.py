"""Requiring a second factor of a clinic, and taking one away, as an operator does it."""

import json
import re
from uuid import UUID

import pytest

from app.kernel.settings import Settings
from tests.builders import as_superuser
from tests.stories.commands import (
    REAL,
    afterglow,
    api,
    of_settings,
    succeeds,
    with_a_second_factor,
)


class TestSecondFactor:
    def test_a_real_clinic_requires_it_until_its_operator_says_otherwise(
        self, fresh_database: Settings
    ) -> None:
        env = of_settings(fresh_database)
        added = succeeds("clinic", "add", "Real", *REAL, env=env)
        clinic = added.partition("\n")[0].removeprefix("Clinic ")

        said = [
            succeeds("clinic", "second-factor", clinic, *changes, env=env).partition("\n")[0]
            for changes in ((), ("--optional",), (), ("--require", "administrator"))
        ]

        assert said == [
            "Real requires a second factor of administrators and clinicians.",
            "Real requires a second factor of nobody.",
            "Real requires a second factor of nobody.",
            "Real requires a second factor of administrators.",
        ]

    def test_what_is_lost_is_reset_and_what_is_sealed_goes_under_the_newest_key(
        self, fresh_database: Settings
    ) -> None:
        env = of_settings(fresh_database)
        added = succeeds("clinic", "add", "Real", *REAL, env=env)
        code = re.search(r"real\.example: (\S+)", added)
        assert code is not None
        username, password = "ada@real.example", "a long enough password"
        accept = {"code": code[1], "username": username, "password": password, "name": "Ada"}
        with api(fresh_database) as client:
            token = client.post("/v1/invitations/accept", json=accept).json()["access_token"]
            with_a_second_factor(client, {"Authorization": f"Bearer {token}"}, password)

        succeeds("keys", "rotate", env=env)
        succeeds("keys", "rewrap", env=env)
        newest = json.loads((fresh_database.data_dir / "keys" / "keyring.json").read_text())
        [(secret,)] = as_superuser(fresh_database, "SELECT secret FROM second_factor")
        reset = succeeds("clinic", "reset-second-factor", username.upper(), env=env)
        again = afterglow("clinic", "reset-second-factor", username, env=env)

        assert isinstance(secret, bytes)
        assert secret[2:].startswith(newest["keys"][0]["id"].encode())
        assert reset.startswith("Reset.")
        assert (again.returncode, again.stderr) == (
            2,
            "Nobody of that name has a second factor.\n",
        )
        assert as_superuser(
            fresh_database, "SELECT action, by_member FROM second_factor_event ORDER BY at"
        )[-1] == ("reset", None)
        [(live,)] = as_superuser(
            fresh_database, "SELECT count(*) FROM refresh_family WHERE ended_at IS NULL"
        )
        assert live == 0

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["nowhere"], "no such clinic"),
            ([str(UUID(int=7))], "no such clinic"),
            ([str(UUID(int=7)), "--require", "clinician"], "no such clinic"),
            ([str(UUID(int=7)), "--require", "patient"], "clinician or administrator"),
            ([str(UUID(int=7)), "--require", "clinician", "--optional"], "does not go with"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, fresh_database: Settings, arguments: list[str], reason: str
    ) -> None:
        env = of_settings(fresh_database)

        done = afterglow("clinic", "second-factor", *arguments, env=env)

        assert (done.returncode, done.stdout) == (2, "")
        assert reason in done.stderr

    def test_invented_people_are_exempt(self, fresh_database: Settings) -> None:
        env = of_settings(fresh_database)
        succeeds("demo", env=env)
        [clinic, *_] = succeeds("clinic", "list", env=env).split()

        refused = afterglow("clinic", "second-factor", clinic, "--require", "clinician", env=env)
        said = succeeds("clinic", "second-factor", clinic, env=env)

        assert (refused.returncode, refused.stdout) == (2, "")
        assert "exempt" in refused.stderr
        assert "of nobody." in said
        assert "exempt" in said
