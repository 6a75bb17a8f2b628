"""Hypothesis strategies: any domain, any space (switches in switches included), any recipe of it."""

from __future__ import annotations

from hypothesis import strategies as st

from spaces import Choice, Float, InputError, Int, Prior, SearchSpace, Switch, random_suggest

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
WORDS = st.text(max_size=8)


def _default(draw, domain):
    """The domain, half of the time with one of its own values as the default, half with one as a prior's center."""
    values = [_draw(domain, draw(st.integers(0, 99))) if draw(st.booleans()) else None for _ in range(2)]
    prior = None if values[1] is None else Prior(values[1], draw(st.sampled_from([0.1, 0.25, 1.0])))
    return type(domain)(domain.low, domain.high, domain.log, domain.step, values[0], prior)


def _draw(domain, seed):
    return random_suggest(seed)("x", domain)


@st.composite
def floats(draw):
    kind = draw(st.sampled_from(["linear", "log", "grid"]))
    if kind == "grid":
        step = draw(st.sampled_from([0.05, 0.1, 0.25, 1e-3, 3.0]))
        low = draw(st.sampled_from([0.0, -1.0, 0.5, 7.0]))
        grid = Float(low, low, step=step)
        return _default(draw, Float(low, grid.at(draw(st.integers(0, 40))), step=step))
    smallest = 1e-12 if kind == "log" else -1e9
    low, high = sorted(draw(st.lists(st.floats(smallest, 1e9), min_size=2, max_size=2)))
    return _default(draw, Float(low, high, log=kind == "log"))


@st.composite
def ints(draw):
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -(10**6), 10**6))
    step = 1 if log else draw(st.integers(1, 9))
    return _default(draw, Int(low, low + step * draw(st.integers(0, 1000)), log=log, step=step))


def weights(options):
    """None, or weights of some options."""
    return st.none() | st.dictionaries(
        st.sampled_from(options), st.sampled_from([0.5, 2.0, 10.0]), min_size=1
    )


@st.composite
def choices(draw):
    numbers = st.integers(-5, 5) | st.floats(-5, 5) | st.booleans()
    options = draw(st.lists(WORDS | numbers, min_size=1, max_size=5, unique=True))
    return Choice(tuple(options), draw(st.sampled_from([None, *options])), draw(weights(options)))


@st.composite
def switches(draw, inner):
    branches = draw(st.dictionaries(NAMES, inner, min_size=1, max_size=3))
    return Switch(branches, draw(st.sampled_from([None, *branches])), draw(weights(list(branches))))


def leaves():
    return floats() | ints() | choices()


def _space(domains, smallest=0):
    return st.builds(SearchSpace, st.dictionaries(NAMES, domains, min_size=smallest, max_size=4))


def spaces():
    """Spaces with at least one parameter; branches may be empty."""
    return _space(st.recursive(leaves(), lambda inner: switches(_space(inner)), max_leaves=6), smallest=1)


def refusal(act):
    """What the user is told where `act` refuses its input, on one line; nothing where it does not."""
    try:
        act()
    except InputError as error:
        message = str(error)
        assert message
        assert "\n" not in message
        return message
    return ""
