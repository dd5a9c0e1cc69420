"""Every wish alone and every two at once, on faces that differ in all that can be wished for.

A question is asked with a face for what another picture of the same person shows (``protocol.draw_wishes``);
right is the right person with every wished value, whatever else the answer shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations

from baselines.searcher import Searcher
from evaluation.benchmark import PROTOCOL, Step, StepProgress, run_steps
from evaluation.context import Context
from evaluation.methods import Method, find_method
from evaluation.protocol import Experiment, Queries, criteria, draw_wishes, in_words_of, shared_values
from evaluation.recall import KS, mean_interval
from evaluation.results import Journal, Record, Results, Unavailable, Value, hash_of
from evaluation.tables import DASH
from facedata.labelled import ATTRIBUTES, Attribute, FaceSet
from faces.errors import DataError, RowUnavailable

ROWS = (
    "fused", "fused-rendered", "ours-features", "appearance-256", "identity",
    "two-step-features-canonical", "two-step-dlib-canonical",
)  # fmt: skip
"""The rows that can be asked for any wish, and for several at once."""

TWO = "two at once"


def wishes_of(faces: FaceSet, context: Context, *, count: int, seed: int) -> dict[str, Queries]:
    """Draw up to ``count`` questions for each attribute, and as many for all pairs of them together.

    By name, such as "pose" and "pose and light".  Attributes and pairs that nobody differs in are left out.
    Raises DataError if there is none.
    """
    values: dict[Attribute, tuple[str, ...]] = {}
    for group in context.studio.generator.vocabulary.groups:
        name = next((one for one in ATTRIBUTES if one == group.name), None)
        if name is not None and len(shown := shared_values(faces, name, group.values)) > 1:
            values[name] = shown
    pairs = [*combinations(values, 2)]
    drawn, reason = {}, f"the faces of {faces.name} differ in nothing that the weights can change."
    for names in [*((name,) for name in values), *pairs]:
        number = count if len(names) == 1 else max(1, count // len(pairs))
        try:
            wanted = {name: values[name] for name in names}
            drawn[" and ".join(names)] = draw_wishes(faces, wanted, count=number, seed=seed)
        except DataError as error:
            reason = str(error)
    if not drawn:
        raise DataError(reason)
    return drawn


def measure_wishes(
    faces: FaceSet,
    context: Context,
    journal: Journal,
    progress: StepProgress,
    *,
    rows: Sequence[str] | None = None,
    count: int,
    seed: int,
) -> None:
    """Measure for each wish what the journal does not hold yet: recall@K of the rows, all ``ROWS`` if None.

    The values are kept under the name of the set with "-wishes" behind it.  Raises DataError for a row that
    cannot be asked, and if there is nothing to ask.
    """
    unknown = [row for row in rows or () if row not in ROWS]
    if unknown:
        raise DataError(f"there is no row {unknown[0]!r} for all wishes; the rows are {', '.join(ROWS)}.")
    for attribute in ATTRIBUTES:
        if attribute in context.studio.generator.vocabulary.places:
            faces = in_words_of(faces, attribute, context.studio.values(attribute))
    asked = wishes_of(faces, context, count=count, seed=seed)
    methods = [find_method(row, context.attribute) for row in rows or ROWS]
    fitted: dict[str, Searcher] = {}
    steps = []
    for wish, queries in asked.items():
        identity = hash_of(
            protocol=PROTOCOL,
            what="wishes",
            fingerprint=Experiment(faces, queries, context.studio).fingerprint,
            asked=[queries.faces.tolist(), {name: words.tolist() for name, words in queries.wishes.items()}],
            rows=[method.cache_key(context) for method in methods],
        )
        measure = partial(_recall, faces, wish, queries, methods, context, fitted)
        steps.append(Step(wish, identity, measure, cost=len(queries)))
    journal.keep(f"{faces.name}-wishes", {step.identity for step in steps})
    run_steps(steps, journal, progress)


def wishes_table(results: Results) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Make a table of recall@1, 5 and 20 by wish and row; "two at once" takes all pairs together."""
    found = [value for value in results.values if value.measure == "recall of wishes"]
    rows = tuple(dict.fromkeys(value.method for value in found))
    by_wish: dict[str, dict[str, list[Value]]] = {}
    for value in found:
        wish = str(value.k).rpartition("@")[0]
        names = [wish, TWO] if " and " in wish else [wish]
        for name in names:
            by_wish.setdefault(name, {}).setdefault(value.method, []).append(value)
    order = sorted(by_wish, key=lambda wish: (" and " in wish, wish == TWO))
    lines = [(wish, *(_cell(by_wish[wish].get(row, [])) for row in rows)) for wish in order]
    return ("wish", *rows), lines


def _recall(
    faces: FaceSet,
    wish: str,
    queries: Queries,
    methods: Sequence[Method],
    context: Context,
    fitted: dict[str, Searcher],
) -> Sequence[Record]:
    """Ask one wish of every row; ``fitted`` keeps the searchers for the next wish."""
    (kind, *_), batch, found = criteria(faces, queries), queries.batch(faces), list[Record]()
    people, name = faces.persons[queries.faces], f"{faces.name}-wishes"
    for method in methods:
        try:
            if method.name not in fitted:
                fitted[method.name] = method.build(context).fit(faces)
            first = kind.ranks(fitted[method.name].rank(batch, max(KS)))
        except RowUnavailable as reason:
            found.append(Unavailable(name, method.name, reason.reason))
            continue
        for k in KS:
            right = 100.0 * ((first > 0) & (first <= k))
            low, high = mean_interval(right, people) or (None, None)
            where = name, method.name, method.made_with(context), "recall of wishes", kind.number
            found.append(Value(*where, f"{wish}@{k}", float(right.mean()), low, high, len(right)))
    return found


def _cell(values: Sequence[Value]) -> str:
    """Write recall@1, 5 and 20, each the mean of all questions."""
    means = []
    for k in KS:
        those = [value for value in values if str(value.k).endswith(f"@{k}")]
        asked = sum(value.n for value in those)
        means.append(f"{sum(value.value * value.n for value in those) / asked:.1f}" if asked else DASH)
    return " / ".join(means)
