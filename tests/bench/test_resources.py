"""What the compiler says: the file, the command, and the list of launches that the compile tests read, too."""

import json
import os
import subprocess
import sys

import pytest

from seqlab.bench import BENCHMARKS, resources, results
from seqlab.kernels import has_triton

FORM = {"warps": 4, "registers": 96, "spills": 0, "shared": 2048, "instructions": 1200, "matrix": {}, "atomics": 0}


def report(*forms):
    row = {"benchmark": "lstm", "shape": {"B": 64, "dtype": "float32"}, "kernel": "grid._forward", "forms": list(forms)}
    return {"format": 1, "arch": 90, "date": "2026-12-01", "versions": {"triton": "3.7.1"}, "rows": [row]}


def test_a_row_shows_the_least_and_the_most_of_its_forms():
    wide = FORM | {"warps": 8, "registers": 128, "spills": 16, "matrix": {"wgmma": 32}}
    cells = dict(zip(resources.HEADINGS, resources.summary(report(FORM, wide)["rows"][0]), strict=True))
    assert cells == {
        "kernel": "lstm: grid._forward", "size": "B=64 float32", "matrix units": "wgmma", "forms": "2",
        "warps": "4–8", "registers": "96–128", "spilled": "0–16", "shared": "2,048", "instructions": "1,200",
    }  # fmt: skip


def test_the_page_counts_what_spills(tmp_path):
    path = tmp_path / "resources.json"
    path.write_text(resources.dumps(report(FORM, FORM | {"spills": 8})))
    said, table = results.resources(path).pieces
    assert "1 kernel, 1 launch at all sizes, 2 forms" in str(said)
    assert str(said).endswith("Launches of which a form spills registers: 1.")
    assert len(table.rows) == 1
    assert "Nothing has been compiled yet" in str(results.resources(tmp_path / "none.json"))


def test_what_is_written_is_json_with_a_line_for_each_row(tmp_path):
    text = resources.dumps(report(FORM))
    assert json.loads(text) == report(FORM)
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 7, "rows": []}', '{"format": 1, "rows": [{"forms": []}]}'])
def test_a_bad_file_is_named_in_one_sentence(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"bad.json does not hold what the compiler says; write it with") as found:
        resources.read(path)
    assert "\n" not in str(found.value)


def test_an_unknown_benchmark_and_a_missing_folder_are_named(tmp_path):
    with pytest.raises(ValueError, match="there is no benchmark 'lstn'; there is rnn"):
        resources.compiled(["lstn"])
    with pytest.raises(ValueError, match="but its folder does not exist; make it first"):
        resources.table(out=tmp_path / "no" / "file.json")


def test_the_committed_numbers_cover_every_benchmark_at_every_full_size():
    rows = resources.read()["rows"]
    have = {(row["benchmark"], json.dumps(row["shape"], sort_keys=True)) for row in rows}
    want = {
        (name, json.dumps(shape, sort_keys=True))
        for name, benchmark in BENCHMARKS.items()
        for shape in benchmark.shapes["full"]
    }
    assert want - have == set()
    assert have - want == set()


@pytest.mark.sm90
@pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")
def test_the_command_compiles_shows_and_writes(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))
    path = tmp_path / "resources.json"
    seen = []
    found = resources.compiled(["attraction"], lambda text, done, total: seen.append((text, done, total)))
    assert seen == [("compiling", 0, 1), ("attraction", 1, 1)]
    resources.table(path, ["attraction"])
    assert resources.read(path)["rows"] == found["rows"]
    printed = capsys.readouterr().out
    assert "attraction: attraction" in printed
    assert "N=70000" in printed
    assert max(map(len, printed.splitlines())) <= 80
    (form,) = found["rows"][0]["forms"]
    assert (form["warps"], form["spills"], form["matrix"], form["atomics"]) == (1, 0, {}, 0)
    assert 16 <= form["registers"] <= 255
    assert 50 <= form["instructions"] <= 5000


@pytest.mark.sm90
@pytest.mark.skipif(not has_triton(), reason="Triton exists for Linux alone")
def test_a_compiled_outcome_comes_out_again(tmp_path):
    """With another version of Triton it may change; then the experiments are measured again."""
    from seqlab.bench import experiments

    program = "from seqlab.bench.experiments import compiled; print(json.dumps(compiled.root_for_division()))"
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", f"import json; {program}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    outcome, parts = json.loads(done.stdout)
    found = experiments.read()["root_for_division"]
    assert (outcome, parts) == (found["outcome"], found["parts"])
