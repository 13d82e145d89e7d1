"""Numbers for readers stay close to the number."""

from hypothesis import given
from hypothesis import strategies as st

from simplebits.report.words import pretty


@given(st.floats(-1e9, 1e9), st.none() | st.floats(0, 1e6))
def test_pretty_numbers_stay_close_to_the_number(mean, sd):
    shown, _, spread = pretty(mean, sd).partition(" ± ")
    allowed = 0.01 * abs(mean) + (0.1 * sd + 0.01 if sd is not None else 1e-3)
    assert abs(float(shown) - mean) <= allowed
    assert bool(spread) == (sd is not None)
