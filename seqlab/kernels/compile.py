"""Compile a kernel for a GPU that need not be there, and read what it uses."""

import collections
import re
import struct
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from seqlab.kernels.switch import has_triton, interpreting


@dataclass(frozen=True)
class Compiled:
    """What one compiled kernel uses.

    Attributes
    ----------
    registers : a thread.
    spills : bytes of stack a thread; 0 when everything fits the registers.
    shared : bytes of shared memory a block.
    ptx : the assembly text.
    cubin : the program as the GPU would load it.
    """

    registers: int
    spills: int
    shared: int
    ptx: str
    cubin: bytes = field(repr=False, default=b"")

    def length(self):
        """Count the GPU's own instructions, at once and without reading them: their bytes over 16."""
        sections, size, count, names = struct.unpack_from("<Q10xHHH", self.cubin, 0x28)
        found = [struct.unpack_from("<I20xQQ", self.cubin, sections + size * n) for n in range(count)]
        titles = found[names][1]
        return sum(size for name, _, size in found if self.cubin[titles + name :].startswith(b".text.")) // 16

    def instructions(self):
        """Read the GPU's own instructions: a list of (address, text), what each is done under left out."""
        found = re.findall(r"/\*([0-9a-f]{4,5})\*/\s+(?:@!?U?P\w+ )?(.*?);", _dumped(self.cubin, "-sass"))
        return [(int(at, 16), what) for at, what in found]

    def loops(self):
        """Count the instructions of each loop, between a jump back and where it jumps to, in all and by name.

        Returns
        -------
        loops : list of dicts; "all" is how many there are, and any other key the first word of an instruction.
        """
        lines, found = self.instructions(), []
        for at, what in lines:
            target = re.match(r"BRA.*\b0x([0-9a-f]+)", what)
            if target and (start := int(target[1], 16)) < at:
                names = [operation(inside) for here, inside in lines if start <= here <= at]
                found.append({"all": len(names)} | collections.Counter(names))
        return found


def operation(instruction):
    """Name what an instruction does: its first word, and for special functions which one, MUFU.EX2."""
    return re.match(r"MUFU\.\w+|\w+", instruction)[0]


def compile_for(fn, signature, constants, arch=90, divisible=None, **options):
    """Compile for a CUDA architecture with the tools inside Triton; no GPU, no driver.

    Parameters
    ----------
    fn : a `triton.jit` function, tuned or not.
    signature : dict from each argument that is no constant to its type, ``{"x_ptr": "*fp32", "T": "i32"}``.
    constants : dict from each `tl.constexpr` argument to its value.
    arch : 90 for Hopper.
    divisible : names of arguments that are multiples of 16, which a launch finds out by itself; None stands for every
        pointer, since torch aligns its memory so.
    options : num_warps, num_stages, ...

    Returns
    -------
    compiled : Compiled

    Raises
    ------
    RuntimeError
        when Triton is not installed, or this process interprets: start it with TRITON_INTERPRET=0.
    ValueError
        when the signature and the constants do not name each argument exactly once.
    """
    if not has_triton():
        raise RuntimeError(
            "compile_for needs the package triton, which exists for Linux alone and is not installed here"
        )
    if interpreting():
        raise RuntimeError("compile_for cannot work in a process that interprets: start Python with TRITON_INTERPRET=0")
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    while not isinstance(fn, triton.JITFunction):
        fn = fn.fn
    if sorted([*signature, *constants]) != sorted(fn.arg_names):
        raise ValueError(f"{fn.__name__} takes {', '.join(fn.arg_names)}; give each once, in signature or in constants")
    types = {name: signature.get(name, "constexpr") for name in fn.arg_names}
    if divisible is None:
        divisible = [name for name, kind in signature.items() if kind.startswith("*")]
    attributes = {(fn.arg_names.index(name),): [["tt.divisibility", 16]] for name in divisible}
    source = ASTSource(fn=fn, signature=types, constexprs=constants, attrs=attributes)
    kernel = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    cubin = kernel.asm["cubin"]
    usage = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", _dumped(cubin, "-res-usage"))}
    return Compiled(usage["REG"], usage["STACK"] + usage["LOCAL"], kernel.metadata.shared, kernel.asm["ptx"], cubin)


def _dumped(cubin, what):
    from triton import knobs

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        command = [knobs.nvidia.cuobjdump.path, what, path]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
