"""Compile the empty recurrences for sm_90; print what each one uses as JSON."""

import json
import re

from seqlab.bench import speeds
from seqlab.kernels import compile_for


def main():
    """Registers, spills, shared memory, and the barriers inside the loop."""
    pointers = {"state_ptr": "*i32", "end_ptr": "*i32", "T": "i32"}
    print(
        json.dumps(
            {
                "in-cta": used(speeds._in_cta, pointers, {"WIDE": speeds.WIDE}, num_warps=speeds.WIDE // 32),
                "cross-cta": used(
                    speeds._cross_cta, pointers | {"count_ptr": "*i32"}, {}, num_warps=1, launch_cooperative_grid=True
                ),
            }
        )
    )


def used(kernel, signature, constants, **options):
    """What the compiler says of one kernel."""
    compiled = compile_for(
        kernel, signature, constants, divisible=[*(n for n in signature if n != "T"), "T"], **options
    )
    return {
        "registers": compiled.registers,
        "spills": compiled.spills,
        "shared": compiled.shared,
        "instructions": re.findall(r"^\s+(?:@%p\d+ )?((?:bar|st|ld|atom|red|shfl)[a-z0-9_.:]*)", compiled.ptx, re.M),
    }


if __name__ == "__main__":
    main()
