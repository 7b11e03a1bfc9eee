"""The interactive figure of a trigger word's threshold: hits, misses and false alarms under the reader's hand.

`python -m seqlab.figures.triggering` lets the shipped detector hear the recordings of the figure anew, and writes what
it said beside this file.
"""

import json
from functools import lru_cache
from html import escape
from pathlib import Path

import numpy as np

from seqlab.figures.figure import Figure, table
from seqlab.figures.gradients import check_number
from seqlab.shapes import check_shape

HEARD = Path(__file__).with_name("trigger_threshold.json")
DIGITS = 3  # of the probabilities that the page holds
RECORDINGS, LONGEST = 24, 3000  # the most recordings, and steps in all of them
QUIETEST = 3.0  # seconds of the longest quiet time
STEP = 0.04  # seconds
LOUD = (0.0, 8.0)  # decibels of the background in the recordings of the figure, lowest and highest
USUAL = {"threshold": 0.5, "quiet": 12, "tolerance": 15, "early": 3}


class TriggerThreshold(Figure):
    """A detector's probability over time, and a threshold that the reader moves, :eq:`trigger-detection`.

    Detections are drawn and counted as hits, misses and false alarms; beside them stands the point on the curve of
    precision over recall, :eq:`precision-recall`. Detection and counting are those of `seqlab.audio.reference.detect`
    and `match`.

    Parameters
    ----------
    probabilities : (Ty,) of one recording, or a list of such arrays, at most 24. None takes recordings that the shipped
        detector has heard, `seqlab.audio.load_trigger`.
    truths : list of the steps in which the trigger word ends, or a list of such lists; needs `probabilities`. One
        recording at least must have one. Step Ty is one that began and was not heard to its end.
    step : seconds from one step to the next; None takes 0.04.
    words : for each recording a list of (first step, last step, whether it is the trigger word); None shows none.
    names : of the recordings; None numbers them.
    word : the trigger word.
    threshold : at the start, 0.01 to 0.99; None takes 0.5, or that of the shipped detector.
    quiet : steps of quiet after a detection, at the start; None takes 12.
    tolerance, early : steps after and before the end of a word in which a detection counts for it; None takes 15 and 3.
    note : a sentence that says what is shown.

    Raises
    ------
    ValueError
        when the lists do not fit each other, a probability is not from 0 to 1, or a number is out of range.
    """

    module = "trigger_threshold.js"
    label = "A trigger word's threshold"
    how = "Move the threshold: when does the detector miss the word, and when does it cry wolf?"

    def __init__(
        self,
        probabilities=None,
        truths=None,
        step=None,
        *,
        words=None,
        names=None,
        word="activate",
        threshold=None,
        quiet=None,
        tolerance=None,
        early=None,
        note="",
    ):
        if (probabilities is None) != (truths is None):
            raise ValueError("probabilities and truths come together: give both or none")
        if probabilities is None:
            given = {"step": step, "words": words, "names": names}
            for name in (name for name, value in given.items() if value is not None):
                raise ValueError(f"{name} came without probabilities; give the recordings that it belongs to")
            made = heard()
            recordings, note, step, word = made["recordings"], note or made["note"], made["step"], made["word"]
        else:
            made, recordings = USUAL, check_recordings(probabilities, truths, words, names)
        step = STEP if step is None else step
        threshold, quiet, tolerance, early = (
            made[name] if value is None else value
            for name, value in zip(USUAL, (threshold, quiet, tolerance, early), strict=True)
        )
        check_number("step", step, 0.001, 10)
        longest = round(QUIETEST / step)
        check_number("threshold", threshold, 0.01, 0.99)
        check_number("quiet", quiet, 0, max(longest, 1), whole=True)
        for name, value in (("tolerance", tolerance), ("early", early)):
            check_number(name, value, 0, LONGEST, whole=True)
        super().__init__(
            recordings=recordings,
            step=float(step),
            word=word,
            threshold=round(float(threshold), 2),
            quiet=quiet,
            longest=max(longest, 1),
            tolerance=tolerance,
            early=early,
            note=note,
            chosen=0,
        )

    def still(self):
        from seqlab.audio.reference import detect, match

        s, rows = self.state, []
        for threshold in sorted({0.1, 0.3, 0.5, 0.7, 0.9, s["threshold"]}):
            found = [
                match(detect(one["p"], threshold, s["quiet"]), one["ends"], s["tolerance"], s["early"])
                for one in s["recordings"]
            ]
            hits, misses, alarms = (sum(len(one[kind]) for one in found) for kind in range(3))
            precision = f"{hits / (hits + alarms):.2f}" if hits + alarms else "1.00"
            rows.append((f"{threshold:.2f}", hits, misses, alarms, precision, f"{hits / (hits + misses):.2f}"))
        many = len(s["recordings"])
        caption = (
            f"{s['note']} {many} recording{'s' * (many > 1)}, {s['quiet'] * s['step']:.2f} s of quiet after a report"
        )
        head = ("threshold", "hits", "misses", "false alarms", "precision", "recall")
        return picture(s["recordings"][0], s) + table(head, rows, caption.strip())


def picture(one, state):
    """The probability of one recording, its threshold and the ends of the words, as a drawing that stands still."""
    p, T, level = one["p"], len(one["p"]), 80 - 76 * state["threshold"]
    x = [300 * (t + 0.5) / T for t in range(T + 1)]
    points = " ".join(f"{at:.1f},{80 - 76 * value:.1f}" for at, value in zip(x, p, strict=False))
    ends = "".join(f'<path d="M{x[t]:.1f} 81l4 8h-8Z" fill="currentColor"/>' for t in one["ends"])
    when = ", ".join(f"{t * state['step']:.2f}" for t in one["ends"])
    alt = (
        f"{one['name']}: the probability over {T * state['step']:.1f} seconds, up to {max(p):.2f}, and a line at "
        f"{state['threshold']:.2f}; the word ends at {when or 'no time'} s"
    )
    return (
        f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 300 92" style="width:100%;max-width:30rem">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.2"/>'
        f'<line x1="0" x2="300" y1="{level:.1f}" y2="{level:.1f}" stroke="currentColor" stroke-dasharray="5 4"/>'
        f"{ends}</svg>"
    )


def check_recordings(probabilities, truths, words=None, names=None):
    """The recordings as the state holds them; or one sentence saying what is wrong."""
    probabilities, truths = list(probabilities), list(truths)
    if not probabilities or np.ndim(probabilities[0]) == 0:
        probabilities, truths, words = [probabilities], [truths], None if words is None else [words]
    count = len(probabilities)
    check_number("the number of recordings", count, 1, RECORDINGS, whole=True)
    names = [f"recording {n + 1}" for n in range(count)] if names is None else list(names)
    words = [[] for _ in range(count)] if words is None else list(words)
    for name, given in (("truths", truths), ("words", words), ("names", names)):
        if len(given) != count:
            raise ValueError(f"{name} has {len(given)} entries; with {count} recordings it must have {count}")
    recordings = [check_recording(*one) for one in zip(names, probabilities, truths, words, strict=True)]
    steps = sum(len(one["p"]) for one in recordings)
    check_number("the number of steps in all recordings", steps, 2, LONGEST, whole=True)
    if not any(one["ends"] for one in recordings):
        raise ValueError("truths hold no word at all; the recall of nothing is not defined")
    return recordings


def check_recording(name, p, ends, words):
    """One recording as the state holds it; or one sentence saying what is wrong."""
    p = np.asarray(p, float)
    T = check_shape(f"the probabilities of {name}", p, ("Ty",))["Ty"]
    if T < 2 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"the probabilities of {name} must be 2 or more numbers from 0 to 1")
    for end in ends:
        check_number(f"an end of a word in {name}", int(end), 0, T, whole=True)  # the last step may not be whole
    spans = [[int(first), int(last), bool(mine)] for first, last, mine in words]
    for first, last, _ in spans:
        if not 0 <= first <= last <= T:
            raise ValueError(f"a word of {name} goes from step {first} to {last}; it must lie in 0 to {T}")
    ends = sorted(int(end) for end in ends)
    return {"name": str(name), "p": np.round(p, DIGITS).tolist(), "ends": ends, "words": spans}


@lru_cache(maxsize=1)
def _file():
    return HEARD.read_text(encoding="utf-8")


def heard():
    """What the shipped detector said about the recordings of the figure: the file beside this one."""
    return json.loads(_file())


def make(n=12, seed=2, seconds=6.0):
    """Let the shipped detector hear people whom it never heard, in places louder than any that it was trained in.

    Parameters
    ----------
    n : how many recordings.
    seed : of all that is drawn.
    seconds : how long each is.

    Returns
    -------
    made : dict as `heard` gives it.
    """
    from seqlab.audio import reference, trigger
    from seqlab.audio.synthesis import BACKGROUNDS, background

    listener, rng = trigger.load_trigger(), np.random.default_rng(seed)
    sounds = trigger.trigger_sounds(12, "test", seed, backgrounds=1)
    steps = round(seconds * trigger.RATE / trigger.STEP)
    until = (steps - trigger.WIDTH) * trigger.STEP  # no word after that: there is time to report every one
    others = [clip for clip in sounds.negatives if len(clip) <= until]
    names, samples, truths, words = [], [], [], []
    for i in range(n):
        kind = list(BACKGROUNDS)[i % len(BACKGROUNDS)]
        behind = background(kind, steps * trigger.STEP / trigger.RATE, trigger.RATE, rng)
        behind = reference.gain(behind, rng.uniform(*LOUD))
        how = {"Ty": steps - trigger.WIDTH, "width": trigger.WIDTH, "most": (3, 4), "decibels": trigger.CLIP_DECIBELS}
        x, _, events = reference.training_example(behind[:until], sounds.positives, others, rng, **how)
        x = np.concatenate([x, behind[until:]])
        names.append(f"{i + 1}, {kind}")
        samples.append(x / max(1, np.abs(x).max()))
        truths.append([event.end // trigger.STEP for event in events if event.positive])
        words.append([(event.start // trigger.STEP, event.end // trigger.STEP, event.positive) for event in events])
    louder = [round(level - trigger.BACKGROUND_DECIBELS[1]) for level in LOUD]
    curves = listener.probabilities(np.stack(samples))
    return {
        "note": f"What the detector of this chapter says about {n} recordings: voices that it never heard, in places "
        f"{louder[0]} to {louder[1]} decibels louder than the loudest of its training.",
        "word": trigger.TRIGGER,
        "step": trigger.STEP / trigger.RATE,
        "threshold": listener.threshold,
        "quiet": listener.quiet,
        "tolerance": trigger.TOLERANCE,
        "early": trigger.EARLY,
        "recordings": check_recordings(curves, truths, words, names),
    }


def main():
    """Write what the detector says beside this file, a recording a line."""
    made = make()
    recordings = ",\n".join(json.dumps(one) for one in made.pop("recordings"))
    facts = "".join(f"{json.dumps(name)}: {json.dumps(value)},\n" for name, value in made.items())
    HEARD.write_text(f'{{\n{facts}"recordings": [\n{recordings}\n]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
