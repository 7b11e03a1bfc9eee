"""The page of predictions and outcomes, drawn from data: what was expected, why, and what came of it."""

from seqlab.bench.experiments import BY, EXPERIMENTS, read
from seqlab.bench.results import compare, fits, outcomes
from seqlab.bench.showing import DASH, Piece, Pieces, Sentences, Table, marked, place, plural


class Entry(Piece):
    """One experiment, folded: its title and verdict, and what is behind them."""

    def __init__(self, experiment, found):
        self.experiment, self.found = experiment, found

    @property
    def verdict(self):
        """ "right", "wrong" or "not measured"."""
        if self.found is None:
            return "not measured"
        return "right" if self.experiment.right(self.found["outcome"]) else "wrong"

    def lines(self):
        """Pairs of a word and what stands behind it."""
        one = self.experiment
        yield "What differs", one.change
        yield "What is measured", f"{one.quantity}; {BY[one.by]}"
        yield "Predicted", f"{number(one.predicted)}. {one.reason}"
        if self.found is None:
            yield "Found", "not measured"
            return
        parts = ", ".join(f"{name}: {number(value)}" for name, value in self.found["parts"].items())
        yield "Found", f"{number(self.found['outcome'])}, out of {parts}"
        if one.learned:
            yield "Learned", one.learned

    def inner(self):
        body = "".join(f"<dt>{marked(name)}</dt><dd>{marked(text)}</dd>" for name, text in self.lines())
        return (
            f"<details><summary>{marked(self.experiment.title)}: <strong>{self.verdict}</strong></summary>"
            f"<dl>{body}</dl></details>"
        )

    def __str__(self):
        return "\n".join([f"{self.experiment.title}: {self.verdict}", *(f"  {a}: {b}" for a, b in self.lines())])


def number(value):
    """A number in three digits; whole ones in full."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"


def experiments(path=None, chosen=EXPERIMENTS):
    """How many predictions were right, all of them in a table, and each with its reasons.

    Parameters
    ----------
    path : of the outcomes; None for those that come with the package.
    chosen : the experiments.
    """
    found = read(path) if path else read()
    entries = [Entry(one, found.get(one.name)) for one in chosen]
    verdicts = [entry.verdict for entry in entries]
    said = ", ".join(
        f"{verdicts.count(name)} {name}" for name in ("right", "wrong", "not measured") if name in verdicts
    )
    entries.sort(key=lambda entry: entry.verdict == "right")
    rows = [
        (
            entry.experiment.title,
            entry.verdict,
            number(entry.experiment.predicted),
            DASH if entry.found is None else number(entry.found["outcome"]),
        )
        for entry in entries
    ]
    head = ("experiment", "verdict", "predicted", "found")
    table = Table(head, rows, "Predictions, the wrong ones first", ("experiment", "verdict"))
    return Pieces(Sentences(f"{plural(len(entries), 'prediction')}: {said}."), table, *entries)


def targets(reports):
    """Every prediction about a GPU with its outcome on each device; "not measured" where there is none.

    Parameters
    ----------
    reports : as `seqlab.bench.results.read` gives them.
    """
    from seqlab.bench.targets import TARGETS

    found = compare(reports)
    devices = sorted({one.device for one in found}) or [None]
    rows, counts = [], {"met": 0, "missed": 0, "not measured": 0}
    for device in devices:
        for target in TARGETS:
            one = next((one for one in found if one.device == device and fits(target, one)), None)
            for what, outcome in outcomes(target, one):
                counts[outcome.partition(",")[0]] += 1
                rows.append((place(target.benchmark, target.passes, target.shape), outcome, what))
    order = {"missed": 0, "met": 1, "not measured": 2}
    rows.sort(key=lambda row: order[row[1].partition(",")[0]])
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    head = ("kernel", "outcome", "predicted")
    return Pieces(
        Sentences(f"{plural(len(rows), 'prediction')}: {said}."),
        Table(head, rows, "Predictions about a GPU, what was missed first", head),
    )
