"""A clinic's own words: what it says otherwise than the catalogue, and changing that."""

import json
from typing import Final

from sqlalchemy import Text, bindparam, cast, select, update

from app.kernel.db import Db, Query, itself
from app.kernel.errors import Fault, Kind, Problem, not_found
from app.kernel.etag import version_of
from app.kernel.identity import Caller, require_standing
from app.kernel.log import logger
from app.kernel.tables import columns
from app.kernel.texts import ENGLISH, is_fixed, is_shipped, named, refusal, shipped
from app.people.schemas import TextOut, TextsIn, TextsOut
from app.people.tables import Clinic

MAX_OWN_TEXTS: Final = 32 * 1024
"""Bytes of all that a clinic edits: it is read with every patient's record."""

_ByLocale = dict[str, dict[str, str]]

_clinic = columns(Clinic)
_texts = cast(_clinic.texts, Text)
OWN_TEXTS = Query(select(_texts).where(_clinic.clinic_id == bindparam("clinic_id")), itself)
REPLACE_TEXTS = Query(
    update(Clinic)
    .where(_clinic.clinic_id == bindparam("clinic_id"), _texts == bindparam("base_texts"))
    .values(texts=bindparam("to_texts"))
    .returning(_texts),
    itself,
)


def read_texts(db: Db, caller: Caller) -> TextsOut:
    """The catalogue, and what this clinic says otherwise. Raises: Problem FORBIDDEN."""
    if caller.role not in {"clinician", "administrator"}:
        raise Problem(Kind.FORBIDDEN)
    require_standing(db, caller)
    return _texts_out(db.one(OWN_TEXTS))


def replace_texts(
    db: Db, caller: Caller, locale: str, base_version: str, sent: TextsIn
) -> TextsOut:
    """From now on this clinic says exactly `sent` otherwise in this locale.

    Raises: Problem FORBIDDEN, NOT_FOUND (no language tag), INVALID, PRECONDITION_FAILED.
    """
    if caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    require_standing(db, caller)
    tag = named(locale)
    if tag is None:
        raise not_found()
    _refuse(tag, sent.texts)
    stored = db.one(OWN_TEXTS)
    if _version(stored) != base_version:
        raise Problem(Kind.PRECONDITION_FAILED)
    own = _by_locale(stored)
    before = own.pop(tag, {})
    if sent.texts:
        own[tag] = sent.texts
    if len(json.dumps(own, ensure_ascii=False).encode()) > MAX_OWN_TEXTS:
        reason = f"makes more than {MAX_OWN_TEXTS} bytes of this clinic's texts in all"
        raise Problem(Kind.INVALID, faults=[Fault("/texts", reason)])
    replaced = db.change(REPLACE_TEXTS, base_texts=stored, to_texts=own)
    if not replaced:  # somebody else's change came in between
        raise Problem(Kind.PRECONDITION_FAILED)
    # No patient's record changes, so no patient's ledger has a row for it.
    logger().info(
        "clinic.texts_changed",
        clinic_id=str(caller.clinic_id),
        membership_id=str(caller.membership_id),
        locale=tag,
        keys=sorted(
            key
            for key in before.keys() | sent.texts.keys()
            if key in shipped()[ENGLISH] and before.get(key) != sent.texts.get(key)
        ),
    )
    return _texts_out(replaced[0])


def _refuse(locale: str, sent: dict[str, str]) -> None:
    known = shipped()[ENGLISH]
    faults = [
        # A key that is none of ours is the sender's text, and not repeated.
        Fault(f"/texts/{key}" if key in known else "/texts", reason)
        for key, text in sent.items()
        if (reason := refusal(locale, key, text))
    ]
    if faults:
        raise Problem(Kind.INVALID, faults=faults)


def _by_locale(stored: str) -> _ByLocale:
    """What is stored, as far as it has its shape."""
    given = json.loads(stored)
    if not isinstance(given, dict):
        return {}
    return {
        locale: {key: text for key, text in texts.items() if isinstance(text, str)}
        for locale, texts in given.items()
        if isinstance(texts, dict)
    }


def _version(stored: str) -> str:
    """Of what `_texts_out` shows: the catalogue may change with a release."""
    return version_of(json.dumps(shipped()), stored)


def _texts_out(stored: str) -> TextsOut:
    catalogue, own = shipped(), _by_locale(stored)
    return TextsOut(
        version=_version(stored),
        languages=list(catalogue),
        answered_for=sorted(locale for locale in own if not is_shipped(locale)),
        texts=[
            TextOut(
                key=key,
                shipped={
                    language: entries[key].text
                    for language, entries in catalogue.items()
                    if key in entries
                },
                own={locale: texts[key] for locale, texts in own.items() if key in texts},
                placeholders=list(entry.placeholders),
                note=entry.note,
                is_editable=not is_fixed(key),
            )
            for key, entry in catalogue[ENGLISH].items()
        ],
    )
