"""Every statement the application can send, found where it is kept, and what it is tied to."""

import ast
import pkgutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from sqlalchemy import BindParameter, Column, Insert, Table
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.exc import SAWarning
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList
from sqlalchemy.sql.expression import Executable

import app
from app.journal.shelf import Shelf
from app.kernel.db import Change, Query
from app.people.published import Documents

_THE_CLINIC: Final = ":clinic_id"
_DIALECT: Final = dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Statement:
    """A module's constant. name: with its module. kind: of the shelf's entries, if it is one's."""

    name: str
    constant: Query[Any] | Change
    kind: str = ""

    @property
    def construct(self) -> Executable:
        """What is compiled and sent."""
        return self.constant._construct

    @property
    def sql(self) -> str:
        """As PostgreSQL gets it."""
        return str(self.construct.compile(dialect=_DIALECT))  # type: ignore[attr-defined]


def modules() -> Iterator[ModuleType]:
    """All of the application."""
    for found in pkgutil.walk_packages(app.__path__, "app."):
        if found.name != "app.__main__":  # importing it is running it
            yield import_module(found.name)


def statements() -> list[Statement]:
    """Every Query and Change that a module keeps, once, under the first name it was met by."""
    found: dict[int, Statement] = {}
    for module in modules():
        for name, value in vars(module).items():
            # What a kind of entry, or of document, is asked with is kept with it.
            kept = vars(value).items() if isinstance(value, (Documents, Shelf)) else ()
            kind = value.kind if isinstance(value, Shelf) else ""
            for place, one in ((name, value), *((f"{name}.{at}", it) for at, it in kept)):
                if isinstance(one, (Query, Change)) and id(one) not in found:
                    found[id(one)] = Statement(f"{module.__name__}.{place}", one, kind)
    return list(found.values())


def passing(source: str) -> list[str]:
    """Functions that make a statement for themselves: nobody would find it in the module.

    One that returns the statement is a factory; whoever calls it keeps what it makes.
    """
    found = []
    tree = ast.parse(source)
    if any(
        isinstance(node, ast.ImportFrom)
        and node.module == "fastapi"
        and any(alias.name == "Query" for alias in node.names)
        for node in ast.walk(tree)
    ):
        return []  # there, Query is a parameter's declaration
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.Lambda)):
            continue
        made = [
            node
            for node in ast.walk(function)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"Query", "Change"}
        ]
        returned = (
            ast.unparse(function.returns or ast.Constant(None))
            if isinstance(function, ast.FunctionDef)
            else ""
        )
        if made and not returned.startswith(("Query", "Change")):
            found.append(getattr(function, "name", "lambda"))
    return found


def is_distributed(table: Table) -> bool:
    """Whether a table is a tenant's."""
    return table.info.get("placement") == "distributed"


def tables_of(construct: Executable) -> set[Table]:
    """Every table a statement touches, however deep."""
    touched = {
        element.table
        for element in visitors.iterate(construct)  # type: ignore[arg-type]
        if isinstance(element, Column) and isinstance(element.table, Table)
    }
    touched |= {
        element
        for element in visitors.iterate(construct)  # type: ignore[arg-type]
        if isinstance(element, Table)
    }
    written = getattr(construct, "table", None)
    return touched | ({written} if isinstance(written, Table) else set())


def untied(construct: Executable) -> set[str]:
    """The tenant tables that a statement reads or changes without pinning the clinic.

    A table is tied by `clinic_id = :clinic_id`, or by `clinic_id = clinic_id` to one that is;
    what stands beside an OR ties nothing.
    """
    tenants = {table.name for table in tables_of(construct) if is_distributed(table)}
    if isinstance(construct, Insert):
        with warnings.catch_warnings():
            # SQLAlchemy sees a part of the key missing, too; here that is the answer.
            warnings.simplefilter("ignore", SAWarning)
            compiled = construct.compile(dialect=_DIALECT)
        return set() if "clinic_id" in compiled.params else tenants
    elements = list(visitors.iterate(construct))  # type: ignore[arg-type]
    optional = {
        id(beneath)
        for element in elements
        if isinstance(element, BooleanClauseList) and element.operator is operators.or_
        for beneath in visitors.iterate(element)
    }
    ties = [
        {_end(element.left), _end(element.right)}
        for element in elements
        if isinstance(element, BinaryExpression)
        and element.operator is operators.eq
        and id(element) not in optional
    ]
    tied: set[str] = {_THE_CLINIC}
    grows = True
    while grows:
        reached = {end for pair in ties if pair & tied and None not in pair for end in pair if end}
        grows = not reached <= tied
        tied |= reached
    return tenants - tied


def _end(element: object) -> str | None:
    """One side of an equation: the table whose clinic it is, or the clinic itself."""
    if isinstance(element, BindParameter) and element.key == "clinic_id":
        return _THE_CLINIC
    if isinstance(element, Column) and element.name == "clinic_id":
        return str(element.table.name)
    return None
