"""The page of results, drawn from data: floors, what a GPU took, what a CPU checked, and what neither needs.

Every number on the page comes out of one of these functions, and they read it from the files that `seqlab bench` wrote.
A file that is none is named in one sentence.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from seqlab.bench.showing import DASH, Pieces, Sentences, Table, amount, place, plural, seconds
from seqlab.kernels import H200
from seqlab.kernels.measured import MEASUREMENTS

HERE = Path(__file__).parent / "measurements"
QUICK, TRAFFIC = HERE / "quick-cpu.json", HERE / "traffic.json"
FILL = "`seqlab bench --all`"
KEYS = {"shape", "pass", "way", "role", "right", "seconds", "quartiles", "memory", "cost", "floor_seconds", "bound"}
STEPS = {"in-cta": "inside a block of threads", "cross-cta": "between blocks"}


def read(folder=None):
    """Read every report that was made on a GPU.

    Parameters
    ----------
    folder : of the files; None for those that come with the package.

    Returns
    -------
    reports : list of dicts, sorted by device and benchmark; where a benchmark was measured twice on a device, the
        latest.

    Raises
    ------
    ValueError
        naming the file, when one is no report.
    """
    latest = {}
    for path in sorted(Path(folder or MEASUREMENTS).glob("*.json")):
        report = _load(path)
        _check(report, path)
        key = (report["device"]["name"], report["benchmark"])
        if key not in latest or latest[key]["date"] <= report["date"]:
            latest[key] = report
    return [latest[key] for key in sorted(latest)]


def read_quick(path=None):
    """Read the quick run of all benchmarks that was made on a CPU; None where there is no such file.

    Raises
    ------
    ValueError
        naming the file, when it is no quick run.
    """
    path = path or QUICK
    if not Path(path).is_file():
        return None
    report = _load(Path(path))
    if not isinstance(report, dict) or not report.get("quick") or not isinstance(report.get("reports"), list):
        raise ValueError(f"{Path(path).name} is no quick run; write it with `seqlab bench --quick --out FILE`")
    for one in report["reports"]:
        _check(one, Path(path))
    return report


def _load(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read as JSON: measure again, or remove it ({error})") from error


def _check(report, path):
    try:
        report["benchmark"], report["date"], report["device"]["name"], report["device"]["kind"], report["versions"]
        lacking = {key for row in report["rows"] for key in KEYS - row.keys()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is no report of `seqlab bench`: write it with --out, or remove it") from error
    if lacking:
        raise ValueError(f"{path.name} is half a report, without {', '.join(sorted(lacking))}: measure again")


def floors(device=H200):
    """What every kernel must pay at the sizes that a GPU times: bytes, operations, steps, and what they take at least.

    Parameters
    ----------
    device : whose speeds make seconds of that.

    Returns
    -------
    pieces : a table of the first size of each benchmark, and a folded one of all others.
    """
    from seqlab.bench.floors import costs
    from seqlab.bench.registry import BENCHMARKS

    head = ("kernel", "bytes", "operations", "steps", "floor", "bound by")
    first, others = [], []
    for name, benchmark in BENCHMARKS.items():
        for number, shape in enumerate(benchmark.shapes["full"]):
            for passes, cost in costs(name, shape).items():
                numbers = (amount(cost.bytes, "B"), amount(cost.flops), f"{cost.steps:,}" if cost.steps else DASH)
                row = (place(name, passes, shape), *numbers, seconds(cost.floor(device)), cost.bound(device))
                (others if number else first).append(row)
    words, name = ("kernel", "bound by"), f"an {device.name}"
    return Pieces(
        Table(head, first, f"Floors on {name}: the first size of each benchmark", words),
        Table(head, others, f"Floors on {name}: the other sizes", words, f"The other {len(others)} floors"),
    )


def speeds(device=H200):
    """Say with what speeds the floors were computed."""
    flops = ", ".join(f"{amount(speed)} operations a second in {dtype}" for dtype, speed in device.flops.items())
    steps = ", ".join(f"{seconds(time)} {STEPS[kind]}" for kind, time in device.step.items())
    return Sentences(
        f"Assumed of an {device.name}: {amount(device.bandwidth, 'B')} a second between memory and chip; {flops}; "
        f"a dependent step takes {steps}."
    )


@dataclass(frozen=True)
class Comparison:
    """One thing that was computed at one size on one device: our fastest right way beside the fastest peer.

    Attributes
    ----------
    device, benchmark, passes : names.
    shape : dict of sizes.
    rows : all rows of the report about it.
    ours, peer : the fastest row of each side that is right and has a time, or None.
    """

    device: str
    benchmark: str
    passes: str
    shape: dict
    rows: tuple
    ours: dict | None
    peer: dict | None

    @property
    def ratio(self):
        """The peer's time over ours; None where one is missing."""
        return self.peer["seconds"] / self.ours["seconds"] if self.ours and self.peer else None

    @property
    def verdict(self):
        """ "ahead", "behind", "level" where the middle halves of the times overlap, "no peer", or "no time"."""
        if self.ours is None:
            return "no time"
        if self.peer is None:
            return "no peer"
        (low, high), (least, most) = (_middle(row) for row in (self.ours, self.peer))
        if low <= most and least <= high:
            return "level"
        return "ahead" if self.ratio > 1 else "behind"


def _middle(row):
    return row["quartiles"] or (row["seconds"], row["seconds"])


def compare(reports):
    """Set our fastest way against the fastest peer, for every pass of every size of every report."""
    found = []
    for report in reports:
        groups = {}
        for row in report["rows"]:
            groups.setdefault((json.dumps(row["shape"]), row["pass"]), []).append(row)
        for (_, passes), rows in groups.items():
            sides = [
                min(
                    (row for row in rows if row["role"] == role and row["right"] and row["seconds"]),
                    key=lambda row: row["seconds"],
                    default=None,
                )
                for role in ("ours", "peer")
            ]
            names = (report["device"]["name"], report["benchmark"], passes)
            found.append(Comparison(*names, rows[0]["shape"], tuple(rows), *sides))
    return found


def timed(reports):
    """The rows of all reports by device, with the name of the benchmark, as `seqlab.figures.gpu_plots` takes them."""
    devices = {}
    for report in reports:
        rows = devices.setdefault(report["device"]["name"], [])
        rows += [row | {"benchmark": report["benchmark"]} for row in report["rows"]]
    return devices


def state(reports):
    """Say what was measured on which GPU, counting what wins and what loses; or that nothing was, and what fills it."""
    if not reports:
        return Sentences(f"No GPU has been measured yet. One command on a machine with one fills this section: {FILL}")
    lines = []
    for device in sorted({report["device"]["name"] for report in reports}):
        here = [report for report in reports if report["device"]["name"] == device]
        verdicts = [one.verdict for one in compare(here)]
        counts = ", ".join(
            f"{name} {verdicts.count(name)}" for name in ("ahead", "level", "behind", "no peer", "no time")
        )
        wrong = sum(not row["right"] for report in here for row in report["rows"])
        last = max(report["date"] for report in here)[:10]
        made = here[0]["versions"]
        with_ = ", ".join(f"{name} {made[name]}" for name in ("torch", "triton", "cuda") if made.get(name))
        lines.append(
            f"{device}, last measured on {last} with {with_}: {plural(len(here), 'benchmark')}, "
            f"{plural(len(verdicts), 'comparison')} of our fastest way with the fastest peer. {counts}. "
            f"Wrong results, which get no time: {wrong}."
        )
        lines += [line for line in [_measured_speeds(here)] if line]
    return Sentences(*lines)


def _measured_speeds(reports):
    """What the device itself reached in the process of the first report that says so."""
    found = next((report["speeds"] for report in reports if report.get("speeds")), None)
    if not found:
        return ""
    steps = ", ".join(f"{seconds(time)} {STEPS.get(kind, kind)}" for kind, time in (found.get("step") or {}).items())
    flops = ", ".join(f"{amount(speed)} operations a second in {name}" for name, speed in found["flops"].items())
    return f"Measured there: {amount(found['bandwidth'], 'B')} a second, {flops}; a dependent step takes {steps}."


HEAD = (
    "kernel",
    "verdict",
    "peer over ours",
    "over floor",
    "our way",
    "time",
    "middle half",
    "fastest peer",
    "its time",
)
HEAD += ("memory", "peer's memory", "predicted")
WORDS = {"kernel", "our way", "fastest peer", "verdict", "predicted"}


def comparisons(reports):
    """A table for each device: what wins first, what loses last, nothing left out; None where nothing was measured."""
    if not reports:
        return None
    devices = {}
    for one in compare(reports):
        devices.setdefault(one.device, []).append(one)
    return Pieces(*(_compared(found, f"On {device}: every comparison") for device, found in devices.items()))


def behind(reports):
    """What loses against its fastest peer, the slowest in comparison last; None where nothing was measured."""
    if not reports:
        return None
    found = sorted((one for one in compare(reports) if one.verdict == "behind"), key=lambda one: one.ratio)
    if not found:
        return Sentences("No comparison was lost.")
    return _compared(found[::-1], "Behind the fastest peer, worst last")


def _compared(found, caption):
    found = sorted(found, key=lambda one: -(one.ratio or 0))
    return Table(HEAD, [_cells(one) for one in found], caption, WORDS, below="predicted")


def _cells(one):
    ours, peer = one.ours, one.peer
    floor = ours["floor_seconds"] if ours else None
    ratios = (f"{one.ratio:.2f}" if one.ratio else DASH, f"{ours['seconds'] / floor:.2f}" if floor else DASH)
    mine = (ours["way"], seconds(ours["seconds"]), " to ".join(map(seconds, _middle(ours)))) if ours else (DASH,) * 3
    theirs = (peer["way"], seconds(peer["seconds"])) if peer else (DASH, DASH)
    memory = tuple(amount(row["memory"], "B") if row else DASH for row in (ours, peer))
    return (place(one.benchmark, one.passes, one.shape), one.verdict, *ratios, *mine, *theirs, *memory, _foretold(one))


def _foretold(one):
    parts = [f"{what}: {said}" for target in _targets(one) for what, said in outcomes(target, one)]
    return "; ".join(parts) or DASH


def _targets(one):
    from seqlab.bench.targets import TARGETS

    return [target for target in TARGETS if fits(target, one)]


def fits(target, one):
    """Say whether a prediction is about a comparison."""
    same = (target.benchmark, target.passes) == (one.benchmark, one.passes)
    return same and all(one.shape.get(name) == value for name, value in target.shape.items())


def outcomes(target, one=None):
    """What was predicted and what came of it, as pairs of text; "not measured" where there is no comparison.

    Parameters
    ----------
    target : `seqlab.bench.targets.Target`.
    one : `Comparison`, or None.
    """
    ours = one.ours if one else None
    if target.of_floor is not None:
        have = ours["floor_seconds"] / ours["seconds"] if ours and ours["floor_seconds"] else None
        yield f"at least {target.of_floor:.0%} of the floor's speed", _met(have, target.of_floor, "{:.0%}")
    if target.of_peer is not None:
        have = None
        if ours:
            theirs = [row for row in one.rows if row["way"] == target.peer and row["right"] and row["seconds"]]
            have = min(row["seconds"] for row in theirs) / ours["seconds"] if theirs else None
        yield f"at least {target.of_peer:g} times as fast as {target.peer}", _met(have, target.of_peer, "{:.2f}")


def _met(have, want, form):
    if have is None:
        return "not measured"
    return f"{'met' if have >= want else 'missed'}, {form.format(have)}"


def wrong(reports):
    """Every way whose result was wrong or that failed, with the reason; None where nothing was measured."""
    if not reports:
        return None
    rows = [
        (
            place(report["benchmark"], row["pass"], row["shape"]),
            report["device"]["name"],
            row["way"],
            row.get("note", ""),
        )
        for report in reports
        for row in report["rows"]
        if not row["right"]
    ]
    if not rows:
        return Sentences("Every result was right: within its tolerance of the reference in float64.")
    head = ("kernel", "device", "way", "why")
    return Table(head, rows, "Wrong, so without a time", head)


def checked(quick):
    """Whether each kernel was right in the interpreter on a CPU, and how the ways of torch compare there."""
    if quick is None:
        return Sentences("No CPU has been measured yet: `seqlab bench --quick --out FILE` does it.")
    reports = quick["reports"]
    ours = [row for report in reports for row in report["rows"] if row["role"] == "ours"]
    every = [row for report in reports for row in report["rows"]]
    bad = sum(not row["right"] for row in every)
    failed = quick.get("failed") or {}
    made = reports[0]["versions"] if reports else {}
    with_ = ", ".join(f"{name} {made[name]}" for name in ("python", "torch", "triton", "numpy") if made.get(name))
    said = Sentences(
        f"{reports[0]['device']['name']}, {with_}: {plural(len(reports), 'benchmark')}, each at its smallest size, "
        f"{plural(len(every), 'result')} checked against float64, {len(ours)} of them from our own ways. "
        f"Wrong: {bad}. Benchmarks that could not run: {', '.join(failed) or 'none'}."
        if reports
        else f"Benchmarks that could not run: {', '.join(failed) or 'none'}."
    )
    return Pieces(said, _errors(reports), _torch_alone(reports))


def _errors(reports):
    rows = []
    for report in reports:
        for row in report["rows"]:
            if row["role"] != "ours":
                continue
            errors = row.get("errors", {})
            known = {name: error for name, error in errors.items() if error is not None}
            worst = max(known, key=lambda name: known[name] / (row["tolerance"][name] or 1e-300), default=None)
            numbers = (DASH, DASH) if worst is None else (f"{known[worst]:.1e}", f"{row['tolerance'][worst]:.0e}")
            verdict = "right" if row["right"] else f"wrong: {row.get('note', '')}"
            rows.append((place(report["benchmark"], row["pass"], row["shape"]), row["way"], *numbers, verdict))
    head = ("kernel", "our way", "error", "allowed", "verdict")
    words = set(head) - {"error", "allowed"}
    return Table(head, rows, "Relative error of our ways, that of the worst result", words, "Every one of our ways")


def _torch_alone(reports):
    rows = []
    for report in reports:
        for one in compare([report]):
            times = [row for row in one.rows if row["right"] and row["seconds"]]
            for row in sorted(times, key=lambda row: row["seconds"]):
                ratio = row["seconds"] / min(row["seconds"] for row in times)
                spread = " to ".join(map(seconds, _middle(row)))
                cells = (row["way"], seconds(row["seconds"]), spread, f"{ratio:.2f}")
                rows.append((place(one.benchmark, one.passes, one.shape), *cells))
    head = ("kernel", "way", "time", "middle half", "over the fastest")
    words = {"kernel", "way"}
    caption = "Ways without Triton on this CPU, the fastest first: small sizes, so mostly the price of a call"
    return Table(head, rows, caption, words, "Times of the ways that need no Triton")


def traffic(path=TRAFFIC):
    """Counted bytes of every kernel beside its cost, and the reason where the two differ.

    Raises
    ------
    ValueError
        naming the file, when it holds no count.
    """
    if not Path(path).is_file():
        return Sentences("Nothing has been counted yet.")
    data = _load(Path(path))
    try:
        rows = data["rows"]
        firsts = {}
        for row in rows:
            firsts.setdefault((row["benchmark"], row["pass"]), row)
        first = [row for row in rows if any(row is one for one in firsts.values())]
        others = [row for row in rows if not any(row is one for one in firsts.values())]
        tables = [[_traffic_cells(row) for row in some] for some in (first, others)]
        agreed = sum(bool(row["agrees"]) for row in rows)
        kernels = len({row["benchmark"] for row in rows})
    except (KeyError, TypeError) as error:
        raise ValueError(f"{Path(path).name} holds no counted traffic ({error!r}): count again") from error
    head = ("kernel", "way", "cost", "needed", "explained", "again", "scratch", "by torch")
    head += ("torch alone", "agrees", "why they differ")
    words = {"kernel", "way", "agrees", "why they differ"}
    said = f"{plural(kernels, 'kernel')}, {plural(len(rows), 'count')}: {agreed} agree to the byte"
    more = "." if agreed == len(rows) else f", {len(rows) - agreed} do not."
    caption = "Bytes, counted at the first small size of each kernel"
    kept = [Table(head, tables[0], caption, words, below="why they differ")]
    if others:
        caption, fold = "Bytes at other sizes, and of other ways", f"The other {len(others)}"
        kept.append(Table(head, tables[1], caption, words, fold, below="why they differ"))
    return Pieces(Sentences(said + more), *kept)


def _traffic_cells(row):
    names = ("cost_bytes", "needed", "explained", "again", "scratch", "torch_moved", "peer_moved")
    numbers = [DASH if row[name] is None else f"{row[name]:,}" for name in names]
    return (
        place(row["benchmark"], row["pass"], row["shape"]),
        row["way"],
        *numbers,
        "yes" if row["agrees"] else "no",
        row["reason"] or DASH,
    )


def resources(path=None):
    """What the compiler says of every kernel at the sizes that a GPU times."""
    from seqlab.bench import resources as compiling

    path = Path(path or compiling.FILE)
    if not path.is_file():
        return Sentences("Nothing has been compiled yet: `seqlab bench --resources --out FILE` does it.")
    report = compiling.read(path)
    rows, forms = report["rows"], [form for row in report["rows"] for form in row["forms"]]
    spilled = sum(any(form["spills"] for form in row["forms"]) for row in rows)
    said = Sentences(
        f"Compiled for sm_{report['arch']} with triton {report['versions'].get('triton', DASH)}: "
        f"{plural(len({(row['benchmark'], row['kernel']) for row in rows}), 'kernel')}, "
        f"{plural(len(rows), 'launch')[:-1] + 'es' if len(rows) != 1 else '1 launch'} at all sizes, "
        f"{plural(len(forms), 'form')} that a tuner would try. Launches of which a form spills registers: {spilled}."
    )
    first, seen = [], set()
    for row in rows:
        key = (row["benchmark"], row["kernel"])
        if key not in seen:
            seen.add(key)
            first.append(row)
    others = [row for row in rows if not any(row is one for one in first)]
    head, words = ("kernel", *compiling.HEADINGS[2:]), ("kernel", "matrix units")
    tables = [
        Table(head, [_compiled_cells(row) for row in some], caption, words, fold)
        for some, caption, fold in (
            (first, "Each kernel once", None),
            (others, "The same kernels at other sizes", f"The other {len(others)} rows"),
        )
        if some
    ]
    return Pieces(said, *tables)


def _compiled_cells(row):
    from seqlab.bench.resources import summary

    kernel, shape, *rest = summary(row)
    return (f"{kernel}\n{shape}", *rest)


class Downloads:
    """Links to files, as seen from the folder in which the notebook runs.

    Parameters
    ----------
    files : dict from a path to what the file holds; those that do not exist are left out.
    """

    def __init__(self, files):
        self.files = {Path(path): about for path, about in files.items() if Path(path).is_file()}

    def _repr_markdown_(self):
        lines = [
            f"- [{path.name}]({Path(os.path.relpath(path)).as_posix()}): {about}" for path, about in self.files.items()
        ]
        return "\n".join(lines)

    def __repr__(self):
        return "\n".join(f"{path.name}: {about}" for path, about in self.files.items())


def downloads(folder=None):
    """Every file that this page and the lab notebook are drawn from.

    Parameters
    ----------
    folder : of the reports of GPUs; None for those that come with the package.
    """
    from seqlab.bench.experiments import FILE as experiments
    from seqlab.bench.resources import FILE as compiled

    gpus = {path: _about(path) for path in sorted(Path(folder or MEASUREMENTS).glob("*.json"))}
    return Downloads(
        gpus
        | {
            QUICK: "every kernel checked on a CPU",
            TRAFFIC: "counted bytes beside the cost",
            compiled: "what the compiler says",
            experiments: "outcomes of the experiments without a GPU",
        }
    )


def _about(path):
    report = _load(path)
    _check(report, path)
    return f"{report['benchmark']} on {report['device']['name']}"
