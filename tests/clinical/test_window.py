"""What comes first in a patient's list, in the days after a dose and otherwise."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import find
from app.clinical.window import (
    Due,
    Kind,
    OpenWindow,
    due_kind,
    open_window,
    order_due,
)

law = settings(deadline=None)

DAY = 24 * 3600 * 1_000_000
NOW = 100 * DAY
OPEN = OpenWindow(NOW - DAY, NOW + DAY)

dues = st.lists(
    st.builds(
        Due,
        st.text("abc", max_size=2),
        st.sampled_from(Kind),
        st.integers(NOW - 3, NOW + 3),
        st.integers(NOW - 3, NOW + 3),
    ),
    max_size=12,
)
windows = st.none() | st.just(OPEN) | st.just(OpenWindow(NOW - DAY, NOW))


def due(key: str, kind: Kind, due_at: int = NOW, opens_at: int = NOW - DAY) -> Due:
    return Due(key, kind, opens_at, due_at)


def shown(items: list[Due], window: OpenWindow | None) -> list[tuple[str, str]]:
    return [(each.item.key, each.reason) for each in order_due(items, NOW, window)]


EVERYTHING = [
    due("phq-9", Kind.QUESTIONNAIRE, NOW - 9),
    due("walk", Kind.PRACTICE, NOW - 1),
    due("tomorrow", Kind.SAFETY_CHECK, NOW + DAY, opens_at=NOW + 1),
    due("c-ssrs", Kind.SAFETY_CHECK, NOW + 5),
    due("goal", Kind.GOAL, NOW - 2),
    due("step", Kind.STEP, NOW - 8),
    due("aftercare", Kind.SAFETY_CHECK, NOW + 1),
]


class TestOrder:
    def test_in_an_open_window_doing_goes_before_filling_in(self) -> None:
        assert shown(EVERYTHING, OPEN) == [
            ("aftercare", "safety-first"),
            ("c-ssrs", "safety-first"),
            ("step", "open-window"),
            ("goal", "open-window"),
            ("walk", "open-window"),
            ("phq-9", "can-wait"),
            ("tomorrow", "not-open-yet"),
        ]

    def test_otherwise_time_decides(self) -> None:
        assert shown(EVERYTHING, None) == [
            ("aftercare", "safety-first"),
            ("c-ssrs", "safety-first"),
            ("phq-9", "by-time"),
            ("step", "by-time"),
            ("goal", "by-time"),
            ("walk", "by-time"),
            ("tomorrow", "not-open-yet"),
        ]

    def test_a_window_that_has_closed_or_not_begun_changes_nothing(self) -> None:
        over = OpenWindow(NOW - DAY, NOW)
        ahead = OpenWindow(NOW + 1, NOW + DAY)

        assert shown(EVERYTHING, over) == shown(EVERYTHING, ahead) == shown(EVERYTHING, None)

    def test_among_equals_the_order_given_stays(self) -> None:
        items = [due(key, Kind.PRACTICE) for key in "cab"]

        assert [key for key, _ in shown(items, OPEN)] == ["c", "a", "b"]

    @law
    @given(dues, windows)
    def test_nothing_is_left_out_and_nothing_is_added(
        self, items: list[Due], window: OpenWindow | None
    ) -> None:
        assert sorted(each.item for each in order_due(items, NOW, window)) == sorted(items)

    @law
    @given(dues)
    def test_a_safety_check_never_comes_later_for_a_window(self, items: list[Due]) -> None:
        within = [each.item for each in order_due(items, NOW, OPEN)]
        without = [each.item for each in order_due(items, NOW, None)]

        places = [
            (place, without.index(item))
            for place, item in enumerate(within)
            if item.kind is Kind.SAFETY_CHECK and within.index(item) == place
        ]
        assert all(place <= before for place, before in places)

    @law
    @given(dues, windows)
    def test_nothing_that_is_open_comes_before_a_safety_check_that_is_open(
        self, items: list[Due], window: OpenWindow | None
    ) -> None:
        kinds = [
            each.item.kind for each in order_due(items, NOW, window) if each.item.opens_at <= NOW
        ]

        checks = kinds.count(Kind.SAFETY_CHECK)
        assert kinds[:checks] == [Kind.SAFETY_CHECK] * checks


class TestWindow:
    def test_it_opens_with_the_dose_and_closes_after_as_many_days(self) -> None:
        doses = [NOW]

        assert open_window(doses, 3, NOW - 1) is None
        assert open_window(doses, 3, NOW) == OpenWindow(NOW, NOW + 3 * DAY)
        assert open_window(doses, 3, NOW + 3 * DAY - 1) == OpenWindow(NOW, NOW + 3 * DAY)
        assert open_window(doses, 3, NOW + 3 * DAY) is None

    def test_every_dose_opens_it_anew(self) -> None:
        doses = [NOW, NOW + 2 * DAY]

        assert open_window(doses, 3, NOW + 4 * DAY) == OpenWindow(NOW + 2 * DAY, NOW + 5 * DAY)

    def test_a_clinic_may_have_none(self) -> None:
        assert open_window([NOW], 0, NOW) is None

    def test_a_screener_that_triages_is_a_safety_check(self) -> None:
        assert due_kind(find("c-ssrs-screener")) is Kind.SAFETY_CHECK
        assert due_kind(find("c-ssrs-since-last-contact")) is Kind.SAFETY_CHECK
        assert due_kind(find("gad-7")) is Kind.QUESTIONNAIRE
