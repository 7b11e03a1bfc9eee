"""The page of results shows what the data say: wins, losses, wrong ways, devices, and nothing that is not there."""

import json
import re
from types import SimpleNamespace

import pytest

from seqlab.bench import BENCHMARKS, floors, notebook, results
from seqlab.bench.experiments import EXPERIMENTS, Experiment
from seqlab.bench.showing import Pieces, Table, amount, seconds
from seqlab.kernels import interpreting
from seqlab.notebooks import ROOT, text_of, untidy

PAGES = ("results", "lab-notebook")
SHAPE = {"B": 64, "T": 512, "D": 512, "H": 512, "dtype": "bfloat16"}


def row(way, role, time=None, right=True, **more):
    """A row of a report; the middle half of its times is narrow."""
    return {
        "shape": SHAPE, "pass": "forward", "way": way, "role": role, "errors": {"h": 1e-6}, "tolerance": {"h": 1e-5},
        "right": right, "seconds": time, "quartiles": [0.99 * time, 1.01 * time] if time else None, "memory": 5e6,
        "cost": {}, "floor_seconds": 1e-3, "bound": "steps", "note": "" if right else "wrong, so not timed: h is off",
    } | more  # fmt: skip


def report(rows, device="NVIDIA H200", benchmark="lstm", date="2026-12-01T00:00:00+00:00"):
    """A report of a GPU."""
    return {
        "format": 2, "benchmark": benchmark, "date": date, "device": {"name": device, "kind": "cuda"},
        "versions": {"torch": "2.13.0", "cuda": "13.0"}, "speeds": None, "floor_device": None, "rows": rows,
    }  # fmt: skip


WIN = [row("seqlab Triton", "ours", 2e-3), row("torch.nn.LSTM", "peer", 5e-3)]
LOSS = [row("seqlab Triton", "ours", 8e-3), row("torch.nn.LSTM", "peer", 2e-3)]
LEVEL = [row("seqlab Triton", "ours", 2e-3), row("torch.nn.LSTM", "peer", 2.01e-3)]
WRONG = [row("seqlab Triton", "ours", right=False), row("torch.nn.LSTM", "peer", 2e-3)]
ALONE = [row("seqlab Triton", "ours", 2e-3), row("torch.nn.LSTM", "peer", right=False)]


def written(folder, *reports):
    """A folder with a file for each report."""
    for number, one in enumerate(reports):
        (folder / f"{number}.json").write_text(json.dumps(one))
    return folder


@pytest.fixture(autouse=True)
def targets(monkeypatch):
    """One prediction about the made-up rows, in the place of the book's."""
    made = SimpleNamespace(
        benchmark="lstm", shape={"B": 64, "H": 512}, passes="forward", of_floor=0.3, peer="torch.nn.LSTM", of_peer=1.5
    )
    monkeypatch.setitem(__import__("sys").modules, "seqlab.bench.targets", SimpleNamespace(TARGETS=(made,)))
    return made


@pytest.mark.parametrize(
    ("rows", "verdict"), [(WIN, "ahead"), (LOSS, "behind"), (LEVEL, "level"), (WRONG, "no time"), (ALONE, "no peer")]
)
def test_every_comparison_gets_its_verdict_and_is_counted(tmp_path, rows, verdict):
    reports = results.read(written(tmp_path, report(rows)))
    assert [one.verdict for one in results.compare(reports)] == [verdict]
    said = re.findall(r"(ahead|level|behind|no peer|no time) (\d+)", str(results.state(reports)))
    counted = {name: int(number) for name, number in said}
    assert counted == {name: int(name == verdict) for name in counted}
    assert len(counted) == 5
    assert verdict in str(results.comparisons(reports))


def cells(table, number=0):
    """A row of a table by the names of its columns."""
    return dict(zip(table.head, table.rows[number], strict=True))


def test_a_row_says_time_spread_floor_peer_memory_and_what_was_predicted(tmp_path):
    (table,) = results.comparisons(results.read(written(tmp_path, report(WIN)))).pieces
    found = cells(table)
    assert (found["time"], found["middle half"], found["over floor"]) == ("2 ms", "1.98 ms to 2.02 ms", "2.00")
    assert (found["fastest peer"], found["its time"], found["peer over ours"]) == ("torch.nn.LSTM", "5 ms", "2.50")
    assert (found["memory"], found["peer's memory"]) == ("5 MB", "5 MB")
    assert found["predicted"] == (
        "at least 30% of the floor's speed: met, 50%; at least 1.5 times as fast as torch.nn.LSTM: met, 2.50"
    )


def test_what_loses_is_shown_with_its_missed_predictions_and_again_in_a_table_of_its_own(tmp_path):
    other = report([r | {"shape": SHAPE | {"B": 16}} for r in WIN], benchmark="gru")
    reports = results.read(written(tmp_path, report(LOSS), other))
    assert "ahead 1" in str(results.state(reports))
    assert "behind 1" in str(results.state(reports))
    lost = results.behind(reports)
    assert [line[0].split(",")[0] for line in lost.rows] == ["lstm"]
    assert cells(lost)["peer over ours"] == "0.25"
    assert "missed, 12%" in cells(lost)["predicted"]
    assert "missed, 0.25" in cells(lost)["predicted"]
    (table,) = results.comparisons(reports).pieces
    assert [line[0].split(",")[0] for line in table.rows] == ["gru", "lstm"]


def test_no_loss_is_said_in_words(tmp_path):
    assert str(results.behind(results.read(written(tmp_path, report(WIN))))) == "No comparison was lost."


def test_a_wrong_way_has_its_reason_and_never_a_time(tmp_path):
    reports = results.read(written(tmp_path, report(WRONG)))
    assert "Wrong results, which get no time: 1." in str(results.state(reports))
    assert cells(results.wrong(reports))["why"] == "wrong, so not timed: h is off"
    found = cells(results.comparisons(reports).pieces[0])
    assert (found["our way"], found["time"], found["over floor"], found["peer over ours"]) == ("–",) * 4
    assert "not measured" in found["predicted"]
    assert "Every result was right" in str(results.wrong(results.read(written(tmp_path, report(WIN)))))


def test_an_unknown_device_has_no_floor_and_a_table_of_its_own(tmp_path):
    rows = [one | {"floor_seconds": None, "bound": None} for one in WIN]
    reports = results.read(written(tmp_path, report(LOSS), report(rows, device="Some New GPU")))
    tables = {table.caption: table for table in results.comparisons(reports).pieces}
    assert list(tables) == ["On NVIDIA H200: every comparison", "On Some New GPU: every comparison"]
    new = cells(tables["On Some New GPU: every comparison"])
    assert (new["over floor"], new["peer over ours"]) == ("–", "2.50")
    assert "floor's speed: not measured" in new["predicted"]
    assert len(results.state(reports).lines) == 2
    assert set(results.timed(reports)) == {"NVIDIA H200", "Some New GPU"}


def test_of_two_measurements_on_a_device_the_latest_counts(tmp_path):
    late = report(LOSS, date="2027-01-01T00:00:00+00:00")
    (found,) = results.read(written(tmp_path, late, report(WIN)))
    assert found["date"] == late["date"]


def test_nothing_measured_is_one_sentence_with_the_command_that_fills_it(tmp_path):
    reports = results.read(tmp_path)
    assert str(results.state(reports)) == (
        "No GPU has been measured yet. One command on a machine with one fills this section: `seqlab bench --all`"
    )
    assert results.comparisons(reports) is results.behind(reports) is results.wrong(reports) is None
    assert results.timed(reports) == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"format": 2, "rows": [', "bad.json cannot be read as JSON: measure again, or remove it"),
        ("[1, 2]", "bad.json is no report of `seqlab bench`: write it with --out, or remove it"),
        ('{"benchmark": "lstm"}', "bad.json is no report of `seqlab bench`: write it with --out, or remove it"),
        (json.dumps(report([{"way": "a"}])), "bad.json is half a report, without bound, cost, floor_seconds, memory"),
    ],
)
def test_a_bad_file_is_named_in_one_sentence(tmp_path, text, sentence):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match=re.escape(sentence)) as found:
        results.read(tmp_path)
    assert "\n" not in str(found.value)


def test_a_quick_run_shows_right_wrong_and_failed(tmp_path):
    path = tmp_path / "quick.json"
    assert results.read_quick(path) is None
    cpu = {"kind": "cpu", "name": "some CPU"}
    untimed = row(
        "seqlab Triton", "ours", errors={"h": 2e-6, "c": None, "n": 0.0}, tolerance={"h": 1e-5, "c": 1, "n": 0}
    )
    wrong = row("seqlab torch", "ours", right=False, errors={"h": None})
    one = report([untimed, wrong, row("loop", "peer", 3e-3), row("layer", "peer", 1e-3)]) | {"device": cpu}
    path.write_text(json.dumps({"format": 2, "quick": True, "reports": [one], "failed": {"gru": "why"}}))
    said, ours, torch = results.checked(results.read_quick(path)).pieces
    assert "4 results checked against float64, 2 of them from our own ways. Wrong: 1." in str(said)
    assert "could not run: gru" in str(said)
    assert [line[-1] for line in ours.rows] == ["right", "wrong: wrong, so not timed: h is off"]
    assert cells(ours)["error"] == "2.0e-06"
    assert [(line[1], line[-1]) for line in torch.rows] == [("layer", "1.00"), ("loop", "3.00")]
    path.write_text("{}")
    with pytest.raises(
        ValueError, match=r"quick.json is no quick run; write it with `seqlab bench --quick --out FILE`"
    ):
        results.read_quick(path)


def test_counted_traffic_that_does_not_agree_is_counted_and_marked(tmp_path):
    path = tmp_path / "traffic.json"
    assert str(results.traffic(path)) == "Nothing has been counted yet."
    good = {
        "benchmark": "lstm", "shape": {"B": 2}, "pass": "forward", "way": "seqlab Triton", "cost_bytes": 1000,
        "needed": 900, "again": 10, "scratch": 0, "torch_moved": 100, "explained": 100, "reason": "because",
        "peer": None, "peer_moved": None, "agrees": True,
    }  # fmt: skip
    path.write_text(json.dumps({"format": 1, "rows": [good, good | {"agrees": False}]}))
    said, table, others = results.traffic(path).pieces
    assert str(said) == "1 kernel, 2 counts: 1 agree to the byte, 1 do not."
    assert [line[-2] for line in (*table.rows, *others.rows)] == ["yes", "no"]
    assert (cells(table)["cost"], cells(table)["torch alone"], cells(table)["why they differ"]) == (
        "1,000",
        "–",
        "because",
    )
    path.write_text('{"rows": [{}]}')
    with pytest.raises(ValueError, match=r"traffic.json holds no counted traffic"):
        results.traffic(path)


EXACT = set(floors.COSTS) - {"sgns", "cbow", "hierarchical", "embedding", "attraction"}  # the data of these decide


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_a_floor_is_the_cost_that_the_benchmark_itself_reports(name):
    shape = BENCHMARKS[name].shapes["small"][0]
    want = {case.passes: case.cost for case in BENCHMARKS[name].cases(shape, "cpu")}
    have = floors.costs(name, shape)
    assert list(have) == list(want)
    for passes, cost in have.items():
        if name in EXACT:
            assert cost == want[passes]
        else:
            assert cost.bytes == pytest.approx(want[passes].bytes, rel=0.12)
            assert cost.flops == pytest.approx(want[passes].flops, rel=0.12)


def test_every_benchmark_has_a_floor_at_its_full_sizes():
    first, others = results.floors().pieces
    assert {line[0].split(",")[0] for line in first.rows} == set(BENCHMARKS)
    sizes = sum(len(benchmark.shapes["full"]) for benchmark in BENCHMARKS.values())
    names = [line[0].split("\n") for line in (*first.rows, *others.rows)]
    assert len({(title.split(",")[0], size) for title, size in names}) == sizes
    with pytest.raises(ValueError, match="there is no benchmark 'x' whose cost is known; there is rnn"):
        floors.costs("x", {})


def test_numbers_have_units():
    assert [seconds(x) for x in (None, 2.5, 3e-3, 4e-6, 5e-9)] == ["–", "2.5 s", "3 ms", "4 µs", "5 ns"]
    assert [amount(x, "B") for x in (None, 12, 2_150_000_000, 4.3e12)] == ["–", "12 B", "2.15 GB", "4.3 TB"]


def test_a_table_escapes_scrolls_and_refuses_a_row_of_another_length():
    html = Pieces(Table(["a", "n"], [["<b> `code`", 1]], "caption", {"a"}))._repr_html_()
    assert "&lt;b&gt; <code>code</code>" in html
    assert 'tabindex="0" role="group" aria-label="caption"' in html
    kinds = [Table(["a"], [["x" * n]], "c", {"a"}).inner() for n in (18, 19, 81)]
    assert ['class="words"' in kinds[0], 'class="long"' in kinds[1], 'class="prose"' in kinds[2]] == [True] * 3
    with pytest.raises(ValueError, match="a row of 'caption' has 1 cells; the table has 2 columns"):
        Table(["a", "n"], [["x"]], "caption", {"a"})


def test_a_long_reason_stands_below_its_row_as_wide_as_the_table():
    table = Table(["a", "n", "why"], [["x", 1, "because"], ["y", 2, "–"]], "caption", {"a", "why"}, below="why")
    assert re.findall(r"<th scope=.col.[^>]*>(.*?)</th>", table.inner()) == ["a", "n"]
    assert re.findall(r'<tr class="below"><td colspan="2"><div><small>(.*?)</small>', table.inner()) == ["because"]
    assert "because" in str(table).splitlines()[3]
    with pytest.raises(ValueError, match="below is 'a'; it must be the last column, 'n'"):
        Table(["a", "n"], [], "caption", {"a"}, below="a")


def test_links_lead_to_the_files_that_exist_from_where_the_page_stands(tmp_path, monkeypatch):
    written(tmp_path, report(WIN))
    monkeypatch.chdir(tmp_path)
    text = results.downloads(tmp_path)._repr_markdown_()
    assert "- [0.json](0.json): lstm on NVIDIA H200" in text
    for path in re.findall(r"\]\((.*?)\)", text):
        assert (tmp_path / path).is_file()


def test_targets_are_met_missed_or_not_measured_and_what_was_missed_stands_first(tmp_path, targets):
    _, table = notebook.targets([]).pieces
    assert {line[1] for line in table.rows} == {"not measured"}
    reports = results.read(written(tmp_path, report([row("seqlab Triton", "ours", 2e-3), LOSS[1]])))
    said, table = notebook.targets(reports).pieces
    assert str(said) == "2 predictions: 1 met, 1 missed."
    assert [line[1] for line in table.rows] == ["missed, 1.00", "met, 50%"]
    targets.shape = {"B": 63}
    assert str(notebook.targets(reports).pieces[0]) == "2 predictions: 2 not measured."


def experiment(**change):
    made = {"name": "toy", "title": "A toy", "by": "counter", "change": "this", "quantity": "bytes", "reason": "so"}
    return Experiment(**made | {"predicted": 4.0} | change)


def test_an_experiment_shows_prediction_and_outcome_whether_right_or_wrong(tmp_path):
    path = tmp_path / "outcomes.json"
    chosen = [
        experiment(),
        experiment(name="off", title="Far off", learned="much"),
        experiment(name="none", title="No"),
    ]
    path.write_text(json.dumps({"outcomes": {
        "toy": {"outcome": 4.1, "parts": {"a": 41, "b": 10}}, "off": {"outcome": 12, "parts": {}}}}))  # fmt: skip
    said, table, *entries = notebook.experiments(path, chosen).pieces
    assert str(said) == "3 predictions: 1 right, 1 wrong, 1 not measured."
    assert [line[0] for line in table.rows][-1] == "A toy"
    assert [entry.verdict for entry in entries] == ["wrong", "not measured", "right"]
    assert "Found: 4.1, out of a: 41, b: 10" in str(entries[2])
    assert "Learned: much" in str(entries[0])
    path.write_text('{"outcomes": [1]}')
    with pytest.raises(ValueError, match=r"outcomes.json holds no outcomes of experiments; write it with"):
        notebook.experiments(path, chosen)


def test_where_nothing_is_predicted_only_nothing_is_right():
    assert experiment(predicted=0).right(0)
    assert not experiment(predicted=0).right(1)
    assert experiment().right(4.39)
    assert not experiment().right(4.41)


def test_every_experiment_has_an_outcome_and_a_wrong_one_says_what_it_taught():
    from seqlab.bench.experiments import read

    found = read()
    assert set(found) == {one.name for one in EXPERIMENTS}
    assert len(EXPERIMENTS) >= 6
    for one in EXPERIMENTS:
        assert one.reason
        assert one.learned or one.right(found[one.name]["outcome"]), one.name


@pytest.mark.slow
@pytest.mark.skipif(not interpreting(), reason="counts in the interpreter")
def test_the_counted_outcomes_come_out_again():
    from seqlab.bench.experiments import counted, read

    found = read()
    for one in EXPERIMENTS:
        if one.by == "counter":
            assert getattr(counted, one.name)() == (found[one.name]["outcome"], found[one.name]["parts"]), one.name


def test_the_committed_files_draw():
    quick = results.read_quick()
    assert {one["benchmark"] for one in quick["reports"]} == set(BENCHMARKS)
    assert "Wrong: 0. Benchmarks that could not run: none." in str(results.checked(quick).pieces[0])
    for drawn in (results.traffic(), results.resources()):
        assert len([piece for piece in drawn.pieces if isinstance(piece, Table) and piece.rows]) >= 1
    assert len(results.downloads().files) >= 4


def page_cells(name, kind):
    cells_ = json.loads((ROOT / "book" / "appendix" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells_ if cell["cell_type"] == kind]


@pytest.mark.parametrize("name", PAGES)
def test_no_number_of_a_page_is_typed_by_hand(name):
    """But in names of files, code and commands, which are no claims."""
    for cell in page_cells(name, "markdown"):
        text = re.sub(
            r"```.*?```|\{\w+\}`[^`]*`|`[^`]*`|\]\([^)]*\)|^\([\w-]+\)=$", "", text_of(cell), flags=re.S | re.M
        )
        assert not re.search(r"\d", text), (cell["id"], text)
    for cell in page_cells(name, "code"):
        assert not re.search(r"\d", text_of(cell)), cell["id"]
        assert "hide-input" in cell["metadata"]["tags"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_in_normal_form_and_in_the_table_of_contents(name):
    assert untidy(ROOT / "book" / "appendix" / f"{name}.ipynb") is None
    assert f"- file: appendix/{name}\n" in (ROOT / "book" / "_toc.yml").read_text()
