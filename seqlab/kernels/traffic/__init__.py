"""Count what a computation loads from memory and stores there, without a GPU.

`seqlab.kernels.count` runs a function and watches two things. Kernels run in Triton's interpreter, program by program,
and every load, store and atomic of theirs is seen with its addresses and its mask. torch's functions are seen one by
one, as they reach the CPU. So a reader without a GPU can see traffic fall when kernels are fused.

Of a kernel:

- Only lanes whose mask is true count.
- In one load, or one store, an address counts once, however many lanes name it: a program fetches it once and hands
  it around. The next load of the same address counts again, in the same program too, since what the caches of a GPU
  still hold is luck and not part of the kernel.
- An atomic loads and stores for each true lane: two lanes that add to one number are two updates, one after the other.
- What stays in registers or in shared memory costs nothing.

One of torch's functions reads each distinct element of its inputs once and writes its outputs once, as if its inner
working were perfect. A view moves nothing, `empty` moves nothing, `zeros` writes, a function in place reads and writes.
A function that picks (`embedding`, `gather`, `index_select`, an index) reads as many numbers as it picks, and one that
scatters in place touches as many as it is given. A broadcast input counts its distinct elements. What `torch.compile`
made is counted as if it were not compiled: torch does not use it while its calls are watched.

What it cannot know: two arguments that are the same memory (a result written over its input) are one, and the first of
them takes the bytes. A GPU moves whole sectors of 32 bytes, and its caches may spare some of what is loaded again; both
are left out, since they belong to the device. So a count says what a kernel asks for, and a time is measured elsewhere.

What it costs: a load of a row that rises from address to address 10 to 40 us, one of 4,096 scattered addresses 0.2 ms;
the interpreter needs 40 to 200 us for the load itself, so that a kernel takes 0 to 15 % longer. A call of torch takes
0.1 ms more. Measured on one core of a shared machine.
"""

from seqlab.kernels.traffic.counting import count
from seqlab.kernels.traffic.report import Event, Launch, Table, Traffic

__all__ = ["Event", "Launch", "Table", "Traffic", "count"]
