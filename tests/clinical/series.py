"""Series of totals, for the tests of trajectories."""

from hypothesis import settings
from hypothesis import strategies as st

law = settings(deadline=None)
SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
DOSE = 1_700_000_000 * SECOND
dose_instants = st.lists(st.integers(0, 60 * DAY), max_size=8).map(sorted)
series = st.lists(
    st.tuples(st.integers(0, 60 * DAY), st.none() | st.integers(0, 27)), max_size=30
).map(lambda points: sorted(points, key=lambda point: point[0]))
