"""README.md documents every setting, in one table, in the words of the settings themselves."""

import re
from pathlib import Path

import pytest

from app.kernel.settings import Settings

README = Path(__file__).parents[2] / "README.md"
HEAD = ("Variable", "Meaning", "Default")
# How a table says that there is no default.
NONE = {"", "—", "-", "none", "unset"}

Row = tuple[str, str, str]


def documented(text: str) -> list[Row]:
    """The rows between the markers: variable, meaning, default. Raises: ValueError."""
    found = re.search(r"<!-- settings -->\n(.*?)<!-- /settings -->", text, re.DOTALL)
    if found is None:
        raise ValueError("no table of settings")
    lines = [line.strip() for line in found[1].splitlines() if line.strip()]
    rows = [cells(line) for line in lines]
    if rows[0] != HEAD or not re.fullmatch(r"\|(\s*:?-+:?\s*\|){3}", lines[1]):
        raise ValueError("not the head of a table of settings")
    return rows[2:]


def cells(line: str) -> Row:
    """The three cells of a row. A bar inside one is written with a backslash."""
    parts = [part.strip().replace("\\|", "|") for part in re.split(r"(?<!\\)\|", line)]
    if len(parts) != 5 or parts[0] or parts[4]:
        raise ValueError("not a row of three cells")
    variable, meaning, default = parts[1:4]
    return variable, meaning, default


def declared() -> list[Row]:
    """What the table has to say, in the order of the settings."""
    return [
        (
            f"`AFTERGLOW_{name.upper()}`",
            field.description or "",
            "" if field.default is None else f"`{field.default}`",
        )
        for name, field in Settings.model_fields.items()
    ]


def without_none(rows: list[Row]) -> list[Row]:
    """With one spelling for a default that is not there."""
    return [
        (variable, meaning, "" if default.lower() in NONE else default)
        for variable, meaning, default in rows
    ]


TABLE = """
<!-- settings -->

| Variable | Meaning | Default |
|---|---|---|
| `AFTERGLOW_HOST` | Address \\| name. | `127.0.0.1` |
| `AFTERGLOW_KEY_FILE` | Keys. | — |

<!-- /settings -->
"""


class TestReadme:
    def test_its_table_is_the_settings_in_their_own_words_and_order(self) -> None:
        assert without_none(documented(README.read_text())) == declared()

    def test_every_setting_says_what_it_means(self) -> None:
        assert [variable for variable, meaning, _ in declared() if not meaning] == []


class TestTable:
    def test_a_table_is_read_cell_by_cell(self) -> None:
        assert without_none(documented(TABLE)) == [
            ("`AFTERGLOW_HOST`", "Address | name.", "`127.0.0.1`"),
            ("`AFTERGLOW_KEY_FILE`", "Keys.", ""),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "No table at all.",
            TABLE.replace("Meaning", "Sense"),
            TABLE.replace("<!-- /settings -->", ""),
            TABLE.replace("| `127.0.0.1` ", ""),
        ],
    )
    def test_what_is_no_table_of_settings_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"table of settings|three cells"):
            documented(text)
