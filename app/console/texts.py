"""What patients read from the server, and what the clinic says in its own words, by language.

Sentences that promise something (what is said about monitoring, whom to call) are shown and not
changed where they ship; into another language a clinic translates them, and answers for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Query

from app.console import words
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.forms import Fields
from app.kernel.errors import Kind, Problem
from app.kernel.texts import ENGLISH, is_fixed, is_shipped, named
from app.people import texts
from app.people.schemas import TextOut, TextsIn, TextsOut

routes = page_router()
HERE: Final = "/console/clinic/texts"
_FIRST: Final = "monitoring"
_DONE = Annotated[str, Query(max_length=20)]
_Word = Annotated[str, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts about one thing in one language. shown: what may be changed, by key.

    fixed: what may not. languages: that this clinic says something in, and English. says: what a
    text is now, by key.
    """

    locale: str
    is_shipped: bool
    about: str
    subjects: list[tuple[str, str]]
    languages: list[str]
    open: list[TextOut]
    fixed: list[TextOut]
    fields: Fields
    chooser: Fields
    version: str
    is_administrator: bool
    is_overtaken: bool


@routes.get(HERE)
def texts_page(
    visit: Inside, locale: _Word = ENGLISH, about: _Word = _FIRST, done: _DONE = ""
) -> Answer:
    """What is read, and what of it may be said otherwise."""
    held = texts.read_texts(visit.db, visit.caller)
    tag = named(locale)
    chooser = Fields("choose", {"locale": "Language"}, {"locale": tag or locale})
    if tag is None:
        wrong = chooser.wrong_at("locale", "is no language tag, such as de or pt-BR")
        return _page(visit, held, ENGLISH, about, chooser=wrong, status=422)
    return _page(visit, held, tag, about, said=words.DONE.get(done, ""))


@routes.post(HERE)
def say_otherwise(visit: Inside) -> Answer:
    """From now on these texts are said so; an empty one as it ships."""
    tag, about = named(visit.form["locale"]) or ENGLISH, visit.form["about"]
    held = texts.read_texts(visit.db, visit.caller)
    fields = _labelled(_about(held, about)).typed(visit.form)
    others = {
        one.key: one.own[tag]
        for one in held.texts
        if one.key not in fields.labels and tag in one.own
    }
    typed = {key: text for key in fields.labels if (text := fields.value(key).strip())}
    base = visit.form["version"]
    try:
        with visit.db.tried():
            sent = TextsIn(texts={**others, **typed})
            texts.replace_texts(visit.db, visit.caller, tag, base, sent)
    except Problem as problem:
        if problem.kind is Kind.PRECONDITION_FAILED:
            return _page(visit, held, tag, about, fields=fields, status=412, is_overtaken=True)
        refused = fields.refused(problem)
        return _page(visit, held, tag, about, fields=refused, status=422, version=base)
    return GoTo(with_query(HERE, locale=tag, about=about, done="saved"))


def _page(
    visit: Visit,
    held: TextsOut,
    tag: str,
    about: str,
    *,
    fields: Fields | None = None,
    chooser: Fields | None = None,
    version: str | None = None,
    status: int = 200,
    said: str = "",
    is_overtaken: bool = False,
) -> Shown:
    subjects = list(dict.fromkeys(one.key.partition(".")[0] for one in held.texts))
    about = about if about in subjects else _FIRST
    found = _about(held, about)
    if fields is None:
        own = {one.key: one.own.get(tag, "") for one in found}
        fields = Fields("texts", _labelled(found).labels, own)
    is_ours = is_shipped(tag)
    view = Texts(
        locale=tag,
        is_shipped=is_ours,
        about=about,
        subjects=[(one, words.spoken(one)) for one in subjects],
        languages=sorted({ENGLISH, *(locale for one in held.texts for locale in one.own)}),
        open=[one for one in found if not (is_ours and is_fixed(one.key))],
        fixed=[one for one in found if is_ours and is_fixed(one.key)],
        fields=fields,
        chooser=chooser or Fields("choose", {"locale": "Language"}, {"locale": tag}),
        version=version or held.version,
        is_administrator=visit.caller.role == "administrator",
        is_overtaken=is_overtaken,
    )
    return Shown("clinic_texts.html", "Texts", view, section="clinic", status=status, said=said)


def _about(held: TextsOut, about: str) -> list[TextOut]:
    return [one for one in held.texts if one.key.partition(".")[0] == about]


def _labelled(found: Iterable[TextOut]) -> Fields:
    return Fields("texts", {one.key: words.spoken(one.key.partition(".")[2]) for one in found})
