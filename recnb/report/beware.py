"""What to beware of: what the checks found, and what the split itself cannot show."""

from __future__ import annotations

from recnb.evaluation import Evaluation
from recnb.evaluation.audit import CHECKS
from recnb.report.answer import Answer
from recnb.report.numbers import count
from recnb.report.rows import readers

SPLITS = {
    "user_time": "Each user is judged on the own last rows, but the training rows of other users may be newer. "
    "It leaks the future of others; global_time does not.",
    "leave_one_out": "One test item a user: values are coarse, every user weighs the same, and other users' "
    "training rows may be newer than it.",
    "random": "Rows were divided at random: training rows may be newer than the test rows, so values are "
    "higher than they would be on a later day.",
    "k_fold": "Rows were divided at random: training rows may be newer than the test rows, and this is one fold of "
    "several.",
    "global_time": "One cut in time: users and items that appear after it cannot be recommended from what is "
    "known, and one period may be unlike another.",
    "cold_item": "All test items are new. Values among the new items alone (the shelf) and in the whole catalogue "
    "answer different questions; a model that knows interactions only cannot place a new item.",
    "cold_user": "All test users are new; models see the given rows when they score, not before.",
    "predefined": "The division came with the data: whether it follows time is for its maker to say.",
}
_ALWAYS = (
    "Models are judged on what users did under another system, not on what they would do with these lists: "
    "an unseen item counts as a miss."
)


def alarm(ev: Evaluation) -> str:
    """How many errors and warnings the checks raised; empty without any."""
    counts = {s: sum(f.severity == s for f in ev.findings) for s in ("error", "warning")}
    return " and ".join(count(n, word) for word, n in counts.items() if n)


def checks() -> list[str]:
    """Which checks every evaluation makes, in words."""
    return [
        "scores that are not finite, foreign ids, items listed twice (each ends the run)",
        *CHECKS.values(),
    ]


def limits(ev: Evaluation, found: Answer) -> list[str]:
    """What this design cannot show."""
    split = ev.settings.get("split", {})
    name = str(split.get("name", "")).partition(":")[0]
    out = [f"Split {name}: {SPLITS[name]}"] if name in SPLITS else []
    if found.reference is not None:
        chosen = "Both models of the answer were" if found.asked else "The best model was"
        out.append(
            f"{chosen} picked on the test rows. To pick the strongest reference is hard on the others; to pick the "
            "best of several candidates is kind to it. Holm corrects for the number of comparisons, not for "
            "the picking."
        )
    one_seed = [m for m in ev.models if len(ev.seeds(m)) == 1]
    if len(one_seed) == len(ev.models):
        out.append(
            "Every model was fitted once: how far another seed would move a value is not shown. Intervals are "
            "over users only."
        )
    if readers(ev):
        out.append(
            "It holds for the language model named above and its size, not for language models in general."
        )
    return [*out, _ALWAYS]
