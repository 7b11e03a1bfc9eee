"""The experiments that the compiler decides: one function each, named after its experiment.

Each gives (outcome, parts): the number that was predicted, and those that it was made of. Needs a process that
compiles, TRITON_INTERPRET=0.
"""

from dataclasses import replace

from seqlab.bench.launches import lm, recurrent, tsne


def root_for_division():
    """Instructions of the repulsion's loop for a pair in the plane."""
    launch = next(tsne.repulsion(70_000, 2))
    parts = {}
    for name, by_root in (("division", False), ("root", True)):
        ((row, compiled),) = replace(launch, constants=launch.constants | {"BY_ROOT": by_root}).compiled()
        pairs = launch.constants["ROWS"] * launch.constants["COLS"] / (32 * row["warps"])
        parts[name] = min(loop["all"] for loop in compiled.loops()) / pairs
    return parts["division"] - parts["root"], parts


def lstm_with_four_warps():
    """Bytes of stack a thread of both kernels of the grid."""
    parts = {}
    for launch in recurrent.layer("lstm", B=64, H=512, dtype="bfloat16"):
        for warps in (4, 8):
            change = {
                "constants": launch.constants | {"SPLIT": warps},
                "options": launch.options | {"num_warps": warps},
            }
            ((row, _),) = replace(launch, **change).compiled()
            parts[f"{launch.kernel}, {warps} warps: registers"] = row["registers"]
            parts[f"{launch.kernel}, {warps} warps: spilled"] = row["spills"]
    return sum(number for name, number in parts.items() if name.endswith("4 warps: spilled")), parts


def softmax_whole_row():
    """Registers a thread of the two kernels at the largest row of the benchmark."""
    parts = {}
    for launch in lm.softmax(V=32768, dtype="bfloat16"):
        if launch.kernel in ("softmax_row", "softmax_online"):
            row, _ = next(launch.compiled(first=True))
            parts[f"{launch.kernel}, {row['warps']} warps"] = row["registers"]
    return parts_ratio(parts)


def one_word_less():
    """Load instructions of the kernel that holds a row in 16 warps."""
    parts = {}
    for V in (32767, 32768):
        (launch,) = lm.cross_entropy(V, "bfloat16", gradients=(True,))
        for row, compiled in launch.compiled():
            if row["WHOLE"] and row["STAGES"] == 1 and row["warps"] == 16:
                parts[f"V = {V}"] = sum(what.startswith("LDG") for _, what in compiled.instructions())
    return parts_ratio(parts)


def parts_ratio(parts):
    """The first of two parts over the second."""
    first, second = parts.values()
    return first / second, parts


if __name__ == "__main__":
    from seqlab.bench.experiments import print_outcomes

    print_outcomes("compiler", globals())
