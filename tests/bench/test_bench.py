import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import typer
from rich.console import Console
from typer.testing import CliRunner

from seqlab.bench import BENCHMARKS, Benchmark, Case, commands, measure, runs
from seqlab.bench.commands import bench
from seqlab.kernels import Cost, interpreting

app = typer.Typer()
app.command("bench")(bench)
app.callback()(lambda: None)
runner = CliRunner()

CALLS = []


def toy(wrong=0.0, shape=(3,), fails=False, tires=None):
    """A benchmark that doubles a vector; our way is off by `wrong`, and fails at once or after `tires` calls."""
    x = np.arange(1.0, 4.0)

    def ours():
        CALLS.append("ours")
        if fails or CALLS.count("ours") == tires:
            raise RuntimeError("out of\nresources")
        return {"y": torch.tensor(2 * x + wrong).expand(*shape)}

    def peer():
        CALLS.append("peer")
        return {"y": torch.tensor(x + x)}

    def cases(sizes, device):
        cost = Cost(bytes=16 * sizes["N"], flops=sizes["N"])
        return [Case("forward", {"ours": ours}, {"peer": peer}, lambda: {"y": 2 * x}, {"y": 1e-6}, cost)]

    return Benchmark("toy", "doubles", {"small": [{"N": 3}], "full": [{"N": 3}]}, cases)


@pytest.fixture(autouse=True)
def calls():
    CALLS.clear()
    return CALLS


def rows(report):
    return {row["way"]: row for row in report["rows"]}


def test_a_right_way_is_timed_in_turn_with_its_peer(calls):
    report = measure(toy(), repeat=3)
    ours, peer = rows(report)["ours"], rows(report)["peer"]
    assert ours["right"]
    assert ours["role"] == "ours"
    assert peer["role"] == "peer"
    assert 0 < ours["quartiles"][0] <= ours["seconds"] <= ours["quartiles"][1]
    assert ours["of_best_peer"] == pytest.approx(peer["seconds"] / ours["seconds"])
    assert peer["of_best_peer"] == 1
    turns = [name for name, before in zip(calls, [None, *calls], strict=False) if name != before]
    assert turns[-6:] == ["ours", "peer"] * 3


@pytest.mark.parametrize(
    ("benchmark", "note"),
    [
        (toy(wrong=1e-3), "wrong, so not timed: y is off by 2.3e-04, allowed 1e-06"),
        (toy(wrong=float("nan")), "wrong, so not timed: y is off by inf, allowed 1e-06"),
        (toy(shape=(2, 3)), "wrong, so not timed: y is off by inf, allowed 1e-06"),
        (toy(fails=True), "failed: RuntimeError: out of resources"),
    ],
)
def test_a_wrong_way_has_no_time(benchmark, note, calls):
    report = measure(benchmark, repeat=2)
    ours, peer = rows(report)["ours"], rows(report)["peer"]
    assert not ours["right"]
    assert (ours["seconds"], ours["quartiles"], ours["of_floor"], ours["of_best_peer"]) == (None, None, None, None)
    assert ours["note"] == note
    assert calls.count("ours") == 1
    assert peer["seconds"] > 0


@pytest.mark.usefixtures("long_samples")
@pytest.mark.parametrize("call", [2, 3, 40])
def test_a_way_that_fails_while_it_is_timed_stops_no_other(call, calls):
    report = measure(toy(tires=call), repeat=2)
    ours, peer = rows(report)["ours"], rows(report)["peer"]
    assert ours["right"]
    assert (ours["seconds"], ours["quartiles"]) == (None, None)
    assert ours["note"] == "failed: RuntimeError: out of resources"
    assert calls.count("ours") == call
    assert peer["seconds"] > 0


def test_progress_reaches_its_end():
    seen = []
    measure(toy(), repeat=1, on_step=lambda text, done, total: seen.append((text, done, total)))
    assert seen == [("N=3, forward", 0, 1), ("done", 1, 1)]


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="shapes is 'huge'; it must be one of small, full"):
        measure(toy(), shapes="huge")
    with pytest.raises(ValueError, match="repeat is 0; it must be at least 1"):
        measure(toy(), repeat=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens where there is no GPU")
def test_full_shapes_want_a_gpu():
    with pytest.raises(ValueError, match="full shapes need a CUDA device, and there is none here: take the small ones"):
        measure(toy(), shapes="full")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What `seqlab bench rnn` prints and writes."""
    path = tmp_path_factory.mktemp("bench") / "rnn.json"
    result = runner.invoke(app, ["bench", "rnn", "--shapes", "small", "--repeat", "1", "--out", str(path)])
    assert result.exit_code == 0, result.output
    return result.output, json.loads(path.read_text()), list(path.parent.iterdir())


def test_the_file_says_what_was_measured_where_and_when(report):
    _, written, files = report
    assert len(files) == 1
    assert (written["format"], written["benchmark"], written["shapes"], written["repeat"]) == (2, "rnn", "small", 1)
    assert written["versions"]["torch"] == torch.__version__
    assert {"python", "seqlab", "numpy"} <= set(written["versions"])
    assert written["device"]["name"]
    assert written["date"].endswith("+00:00")
    keys = {"shape", "pass", "way", "role", "errors", "tolerance", "right", "seconds", "quartiles", "memory", "cost"}
    keys |= {
        "floor_seconds",
        "bound",
        "of_floor",
        "of_best_peer",
        "note",
        "graph",
        "launched_seconds",
        "ran_on",
        "samples",
    }
    assert all(set(row) == keys for row in written["rows"])
    shapes = BENCHMARKS["rnn"].shapes["small"]
    assert [row["shape"] for row in written["rows"]] == [shape for shape in shapes for _ in range(8)]


@pytest.mark.skipif(not interpreting(), reason="says what happens in the interpreter")
def test_the_interpreter_is_checked_and_not_timed(report):
    printed, written, _ = report
    for row in written["rows"]:
        assert row["right"]
        interpreted = row["way"] == "seqlab Triton"
        assert (row["seconds"] is None) == interpreted
        assert ("interpreter" in row["note"]) == interpreted
        assert row["floor_seconds"] is None
    assert "speeds of kernels need a GPU" in " ".join(printed.split())


def test_the_table_shows_every_shape_and_way(report):
    printed, written, _ = report
    for row in written["rows"]:
        assert all(word in printed for word in row["way"].split())
    assert "B=17 T=20 D=8 H=63 float32: forward and backward" in printed


def test_the_table_shows_memory_where_it_was_measured(monkeypatch):
    numbers = iter([1.5e9, 2e6])
    monkeypatch.setattr("seqlab.bench.commands._write", lambda path, report: None)
    monkeypatch.setattr("seqlab.bench.measure", lambda *a: with_memory(measure(toy(), repeat=1), numbers))
    result = runner.invoke(app, ["bench", "rnn"])
    assert result.exit_code == 0
    assert "memory" in result.output
    assert "1.5 GB" in result.output
    assert "2 MB" in result.output
    assert "memory" not in runner.invoke(app, ["bench", "rnn"]).output


def with_memory(report, numbers):
    """A report as a GPU would give it; a second one, when the numbers are used up, as a CPU does."""
    for row in report["rows"]:
        row["memory"] = next(numbers, None)
    return report


def test_without_a_name_the_command_lists_what_exists():
    result = runner.invoke(app, ["bench"])
    assert result.exit_code == 0
    listed = " ".join(result.output.split())
    assert all(f"{benchmark.name} {benchmark.about}" in listed for benchmark in BENCHMARKS.values())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no-such"], "there is no benchmark 'no-such'; there is rnn, gru, lstm"),
        (["rnn", "--shapes", "huge"], "shapes is 'huge'; it must be one of small, full"),
        (["rnn", "--repeat", "0"], "repeat is 0; it must be at least 1"),
        (["rnn", "--out", "no/such/folder.json"], "does not exist; make it first"),
        (["--quick", "--out", "no/such/folder.json"], "does not exist; make it first"),
        (
            ["rnn", "--out", "tests"],
            "--out names tests, which is a folder; name a file in it, such as tests/bench.json",
        ),
        (["lsmt"], "there is no benchmark 'lsmt'; did you mean lstm?"),
        (["RNN"], "there is no benchmark 'RNN'; did you mean rnn?"),
        (["rnn", "--quick"], "NAME and --quick cannot go together: take one of them"),
        (["--quick", "--all"], "--quick and --all cannot go together: take one of them"),
        (["rnn", "--traffic"], "NAME and --traffic cannot go together"),
        (["--quick", "--again"], "--again goes with --all alone"),
        (["--quick", "--shapes", "small"], "--shapes goes with NAME alone"),
        (["--repeat", "3"], "--repeat goes with NAME or --quick or --all alone"),
        (["--out", "x.json"], "--out goes with NAME or --quick or --all or --traffic or --resources alone"),
    ],
)
def test_a_wrong_command_line_gets_one_sentence(arguments, sentence):
    result = runner.invoke(app, ["bench", *arguments])
    assert result.exit_code == 2
    assert sentence in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens where there is no GPU")
def test_everything_at_full_size_wants_a_gpu():
    result = runner.invoke(app, ["bench", "--all"])
    assert result.exit_code == 2
    assert "there is no CUDA device here: take --quick" in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_help_says_how_to_use_it():
    told = " ".join(runner.invoke(app, ["bench", "--help"]).output.split())
    for said in ("seqlab bench --quick", "goes on where it was stopped", "best peer / this", "ends with status 1"):
        assert said in told


def only(monkeypatch, **toys):
    """Leave only these benchmarks."""
    monkeypatch.setattr("seqlab.bench.BENCHMARKS", {name: replace(one, name=name) for name, one in toys.items()})


def test_quick_checks_everything_and_writes_one_file(monkeypatch, tmp_path):
    only(monkeypatch, first=toy(), second=toy())
    path = tmp_path / "quick.json"
    result = runner.invoke(app, ["bench", "--quick", "--repeat", "1", "--out", str(path)])
    assert result.exit_code == 0, result.output
    assert "first" in result.output
    assert "second" in result.output
    written = json.loads(path.read_text())
    assert (written["format"], written["quick"]) == (2, True)
    assert [(one["benchmark"], one["repeat"]) for one in written["reports"]] == [("first", 1), ("second", 1)]


def test_quick_ends_with_an_error_when_something_is_wrong_or_breaks(monkeypatch):
    def breaks(shape, device):
        raise RuntimeError("no such thing")

    only(monkeypatch, good=toy(), bad=toy(wrong=1.0), worse=replace(toy(), cases=breaks))
    result = runner.invoke(app, ["bench", "--quick", "--repeat", "1"])
    assert result.exit_code == 1
    assert "worse could not be measured: RuntimeError: no such thing" in result.output
    assert "wrong results, not timed: bad: ours" in result.output
    only(monkeypatch, bad=toy(wrong=1.0), good=toy(), also=toy(wrong=2.0))
    result = runner.invoke(app, ["bench", "--quick", "--repeat", "1"])
    assert "wrong results, not timed: bad: ours; also: ours" in " ".join(result.output.split())


def test_all_fills_a_folder_shows_the_tables_and_goes_on(monkeypatch, tmp_path, capsys):
    """At small sizes in the place of the full ones, which need a GPU."""
    monkeypatch.setattr(runs, "measure", lambda one, shapes, *rest: measure(one, "small", *rest) | {"shapes": shapes})

    def breaks(shape, device):
        raise RuntimeError("no such thing")

    everything = {"toy": toy(), "worse": replace(toy(), name="worse", cases=breaks)}
    with pytest.raises(typer.Exit) as ended:
        commands._all(everything, tmp_path, 1, again=False)
    assert ended.value.exit_code == 1
    said = capsys.readouterr()
    assert "worse could not be measured: RuntimeError: no such thing" in said.err
    assert "N=3: forward" in said.out
    assert [path.name for path in tmp_path.iterdir()] == [runs.file_name("toy")]
    commands._all({"toy": everything["toy"]}, tmp_path, 1, again=False)
    assert "toy: there already" in "".join(capsys.readouterr())


def test_all_wants_a_folder(tmp_path):
    with pytest.raises(typer.Exit) as ended:
        commands._all({}, tmp_path / "none", 1, again=False)
    assert ended.value.exit_code == 2


def measured_row(way, role, seconds, best, right=True, **more):
    empty = {
        "shape": {"N": 3, "dtype": "float32"},
        "pass": "forward",
        "errors": {"y": 1e-7},
        "memory": None,
        "note": "",
    }
    times = {"seconds": seconds, "quartiles": [seconds, 2 * seconds], "floor_seconds": 1e-5, "bound": "memory"}
    shares = {"of_floor": 1e-5 / seconds, "of_best_peer": best / seconds}
    return empty | times | shares | {"way": way, "role": role, "right": right} | more


def gpu_report(*rows):
    step = {"in-cta": 4e-8, "cross-cta": 2e-6}
    speeds = {"bandwidth": 3e12, "flops": {"bfloat16": 7e14}, "step": step}
    device = {"kind": "cuda", "name": "made up"}
    absent = [{"shape": {}, "pass": "forward", "way": "gensim", "note": "not installed"}]
    return {"rows": list(rows), "device": device, "speeds": speeds, "floor_device": speeds, "absent": absent}


def shown(report):
    console = Console(width=100, record=True, file=io.StringIO())
    commands.show(console, report)
    return " ".join(console.export_text().split())


def test_what_loses_is_said_as_plainly_as_what_wins():
    peer = measured_row("torch", "peer", 2e-5, 2e-5)
    wins = shown(gpu_report(measured_row("seqlab Triton", "ours", 1.6e-5, 2e-5), peer))
    assert "N=3 float32, forward: seqlab Triton is ahead of torch, 1.25 times as fast" in wins
    loses = shown(gpu_report(measured_row("seqlab Triton", "ours", 4e-5, 2e-5), peer))
    assert "N=3 float32, forward: seqlab Triton is BEHIND torch, 0.50 times as fast" in loses
    for heading in ("of floor", "best peer / this"):
        assert all(word in loses for word in heading.split())
    assert "25%" in loses
    assert "0.50" in loses


def test_a_terminal_of_80_columns_shows_every_number_whole():
    ours = measured_row("seqlab Triton, a kernel for each step", "ours", 1.234e-4, 2e-5, memory=123e6, graph=True)
    peer = measured_row("torch", "peer", 2e-5, 2e-5, memory=1e9)
    console = Console(width=80, record=True, file=io.StringIO())
    commands.show(console, gpu_report(ours, peer))
    told = console.export_text()
    assert "…" not in told
    for number in ("1.0e-07", "123 us", "123 to 247", "123 MB", "8%", "0.16"):
        assert number in told


def test_the_table_says_what_was_a_graph_where_it_ran_and_what_is_not_here():
    ours = measured_row("seqlab Triton", "ours", 2e-5, 3e-5, graph=True, launched_seconds=8e-5, ran_on="cuda")
    told = shown(
        gpu_report(ours, measured_row("scikit-learn", "peer", 3e-5, 3e-5, ran_on="cpu", launched_seconds=None))
    )
    assert "seqlab Triton, graph" in told
    assert "Launch by launch: seqlab Triton 80 us." in told
    assert "scikit-learn (CPU)" in told
    assert "Not here: gensim (not installed)." in told
    assert "steps in-cta 40 ns, cross-cta 2 us" in told


def test_a_red_check_ends_the_command_with_an_error(monkeypatch):
    monkeypatch.setitem(BENCHMARKS, "toy", toy(wrong=1.0))
    result = runner.invoke(app, ["bench", "toy", "--shapes", "small", "--repeat", "1"])
    assert result.exit_code == 1
    assert "wrong results, not timed: ours" in result.output


def test_a_result_that_is_no_number_still_makes_a_file(monkeypatch, tmp_path):
    monkeypatch.setitem(BENCHMARKS, "toy", toy(wrong=float("nan")))
    path = tmp_path / "toy.json"
    result = runner.invoke(app, ["bench", "toy", "--shapes", "small", "--repeat", "1", "--out", str(path)])
    assert result.exit_code == 1
    row = json.loads(path.read_text(), parse_constant=pytest.fail)["rows"][0]
    assert (row["errors"], row["right"], row["seconds"]) == ({"y": None}, False, None)


def test_a_full_disk_loses_nothing(monkeypatch, tmp_path):
    monkeypatch.setitem(BENCHMARKS, "toy", toy())
    path = tmp_path / "toy.json"
    path.write_text("before")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seqlab.files.os.fsync", full)
    result = runner.invoke(app, ["bench", "toy", "--shapes", "small", "--repeat", "1", "--out", str(path)])
    assert result.exit_code == 2
    assert f"could not be written to {path}: No space left on device" in result.output.replace("\n", " ")
    assert "ours" in result.output
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
