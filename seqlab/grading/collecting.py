"""Finds the submissions of a class: who handed in which bytes."""

from seqlab.grading.commands import LARGEST


def collect(folder, name):
    """The submissions in a folder: `<student>.ipynb`, or `<student>/<name>.ipynb`.

    Returns
    -------
    found : list of (student, bytes or None, sentence); without bytes the sentence says why.
    """
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        student, chosen, why = path.name, path, ""
        if path.is_dir() and not path.is_symlink():
            inside = sorted(p for p in path.glob("*.ipynb") if not p.name.startswith("."))
            named = [p for p in inside if p.name == f"{name}.ipynb"]
            if len(named or inside) != 1:
                count = "no notebook" if not inside else f"{len(inside)} notebooks"
                found.append((student, None, f"The folder holds {count}, and none is named {name}.ipynb."))
                continue
            chosen = (named or inside)[0]
        elif path.suffix == ".ipynb":
            student = path.stem
        else:
            continue
        content = None
        try:
            if chosen.is_symlink() or not chosen.is_file():
                why = f"{chosen.name} is no plain file (a link or a device)."
            elif chosen.stat().st_size > LARGEST:
                why = f"{chosen.name} is larger than {LARGEST >> 20} MB."
            else:
                content = chosen.read_bytes()
        except OSError as wrong:
            why = f"{chosen.name} cannot be read ({wrong.strerror})."
        found.append((student, content, why))
    return found
