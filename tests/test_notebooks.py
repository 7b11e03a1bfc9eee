import json

import pytest

from seqlab import notebooks

SCRIPT = """\
# ---
# jupyter:
#   seqlab:
#     covers: [N1, R2]
# ---

# %% title [markdown]
# # A title

# %% install tags=["hide-input"]

# %% first-step seqlab={"role": "answer"}
# %matplotlib inline
x = "π"
"""


def test_packing_keeps_ids_roles_and_what_is_covered():
    notebook = notebooks.pack(SCRIPT)
    assert [cell["id"] for cell in notebook["cells"]] == ["title", "install", "first-step"]
    assert notebook["metadata"]["seqlab"]["covers"] == ["N1", "R2"]
    assert notebook["cells"][2]["metadata"]["seqlab"] == {"role": "answer"}


def test_unpacking_and_packing_changes_nothing():
    notebook = notebooks.pack(SCRIPT)
    assert notebooks.dumps(notebooks.pack(notebooks.unpack(notebook))) == notebooks.dumps(notebook)


def test_normalising_twice_is_normalising_once():
    notebook = notebooks.pack(SCRIPT)
    assert notebooks.normalise(notebook) == notebook


def test_outputs_and_counts_are_dropped():
    notebook = notebooks.pack(SCRIPT)
    notebook["cells"][2] |= {
        "execution_count": 7,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "π"}],
    }
    clean = notebooks.normalise(notebook)["cells"][2]
    assert clean["outputs"] == []
    assert clean["execution_count"] is None


@pytest.mark.parametrize("name", ["", "0f3a9b2c", "Two Words", "a1b2c3d4-1111-2222-3333-0123456789ab"])
def test_a_cell_without_a_readable_id_is_refused(name):
    notebook = notebooks.pack(SCRIPT)
    notebook["cells"][2]["id"] = name
    with pytest.raises(ValueError, match="cell 3 has the id"):
        notebooks.normalise(notebook)


def test_an_id_used_twice_is_refused():
    notebook = notebooks.pack(SCRIPT)
    notebook["cells"][2]["id"] = "title"
    with pytest.raises(ValueError, match="two cells have the id 'title'"):
        notebooks.normalise(notebook)


def test_the_install_cell_holds_the_repository_address_where_one_is_set(tmp_path):
    config = tmp_path / "_config.yml"
    assert notebooks.source_of_seqlab(config) == ".."
    config.write_text("title: x\nrepository:\n  url: https://example.org/a/book\n")
    assert notebooks.source_of_seqlab(config) == "seqlab @ git+https://example.org/a/book"


def test_the_install_cell_runs_where_seqlab_is_installed():
    source = notebooks.text_of(notebooks.pack(SCRIPT)["cells"][1])
    namespace = {}
    exec(compile(source, "install", "exec"), namespace)
    assert namespace["project"] == notebooks.source_of_seqlab()


def test_every_committed_notebook_is_normalised():
    complaints = [line for line in map(notebooks.untidy, notebooks.committed_notebooks()) if line]
    assert not complaints, "\n".join(complaints)


def test_an_untidy_notebook_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(notebooks.pack(SCRIPT)))
    assert "a.ipynb: not normalised; run `make tidy`" in notebooks.untidy(path)
