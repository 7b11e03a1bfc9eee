"""What a count finds: every launch with its bytes, their sums, and a table of them."""

import math
from dataclasses import dataclass
from html import escape

import numpy as np

ROWS = 40  # of a table, before it says how many launches more there are


@dataclass(frozen=True, eq=False)
class Event:
    """One load, store or atomic of one program.

    Attributes
    ----------
    program : row of `Launch.per_program`, in the order of execution.
    kind : "load", "store" or "atomic".
    argument : name of the tensor, without `_ptr`.
    elements : (n,) int64, how far each number lies behind the tensor's first, counted in elements: for a contiguous
        tensor the flat index, row by row. Distinct for a load or a store; for an atomic one for each true lane.
    """

    program: int
    kind: str
    argument: str
    elements: np.ndarray


@dataclass(frozen=True, eq=False)
class Launch:
    """One launch of a kernel, or one call of a function of torch.

    Attributes
    ----------
    name : the kernel's name in Python without underscores before it, or torch's name, such as "aten.exp".
    kind : "kernel" or "torch".
    grid : (x, y, z) programs; () for torch.
    loaded, stored : bytes.
    by_argument : dict from an argument's name, without `_ptr`, to the bytes (loaded, stored).
    per_program : (P, 2) int64, bytes that each program loaded and stored, in the order of execution; (1, 2) for torch.
    events : tuple of `Event` in the order of execution, where `count` was asked for events.
    """

    name: str
    kind: str
    grid: tuple
    loaded: int
    stored: int
    by_argument: dict
    per_program: np.ndarray
    events: tuple = ()

    @property
    def moved(self):
        """Bytes loaded and stored."""
        return self.loaded + self.stored

    @property
    def programs(self):
        """Programs of the grid; 0 for torch."""
        return math.prod(self.grid) if self.grid else 0


@dataclass(frozen=True, eq=False, repr=False)
class Traffic:
    """What a computation moved, in bytes; `count` makes it.

    Attributes
    ----------
    result : what the function returned.
    launches : tuple of `Launch`, in order. Calls that move nothing (views, `empty`) are left out.
    needed : of the kernels' bytes, those that any kernel must move: distinct addresses read in tensors that existed
        before, and distinct addresses written in tensors that existed before, are returned, or are left as a gradient.
    scratch : of the kernels' bytes, those loaded from or stored to tensors that were made inside and are not returned.
    """

    result: object
    launches: tuple
    needed: int
    scratch: int

    def _sum(self, kind, what):
        return sum(getattr(launch, what) for launch in self.launches if launch.kind == kind)

    @property
    def loaded(self):
        """Bytes that kernels loaded."""
        return self._sum("kernel", "loaded")

    @property
    def stored(self):
        """Bytes that kernels stored."""
        return self._sum("kernel", "stored")

    @property
    def moved(self):
        """Bytes that kernels loaded and stored: needed + scratch + again."""
        return self.loaded + self.stored

    @property
    def again(self):
        """Bytes of the kernels' that move a number one more time, or read back a result of their own."""
        return self.moved - self.needed - self.scratch

    @property
    def torch_moved(self):
        """Bytes that torch's functions read and wrote."""
        return self._sum("torch", "moved")

    @property
    def total(self):
        """Bytes that kernels and torch's functions moved."""
        return self.moved + self.torch_moved

    @property
    def programs(self):
        """Programs of all kernels."""
        return self._sum("kernel", "programs")

    def table(self):
        """Lay the launches out in rows, one a launch; equal launches that follow each other share one."""
        return Table(self)

    def __str__(self):
        return str(self.table())

    def __repr__(self):
        return (
            f"Traffic({len(self.launches)} launches, {self.total:,} bytes: needed {self.needed:,}, "
            f"scratch {self.scratch:,}, again {self.again:,}, torch {self.torch_moved:,})"
        )

    def _repr_html_(self):
        return self.table()._repr_html_()


class Table:
    """The launches of a `Traffic` in rows, in bytes: text for a terminal, HTML for a notebook."""

    head = ("launch", "programs", "loaded", "stored")

    def __init__(self, traffic):
        self.traffic = traffic

    def rows(self):
        """List (name, programs, loaded, stored) as text, equal neighbours in one row, the total last."""
        runs = []
        for launch in self.traffic.launches:
            key = (launch.name, launch.kind, launch.programs, launch.loaded, launch.stored)
            if runs and runs[-1][0] == key:
                runs[-1][1] += 1
            else:
                runs.append([key, 1])
        rows = []
        for (name, _, programs, loaded, stored), times in runs[:ROWS]:
            name = name if times == 1 else f"{times} × {name}"
            rows.append((name, times * programs, times * loaded, times * stored))
        rest = runs[ROWS:]
        if rest:
            programs, loaded, stored = (sum(times * key[i] for key, times in rest) for i in (2, 3, 4))
            rows.append((f"{sum(times for _, times in rest)} more", programs, loaded, stored))
        rows.append(("total", self.traffic.programs, *self._totals()))
        return [
            (name, f"{programs:,}" if programs else "", f"{loaded:,}", f"{stored:,}")
            for name, programs, loaded, stored in rows
        ]

    def _totals(self):
        launches = self.traffic.launches
        return sum(launch.loaded for launch in launches), sum(launch.stored for launch in launches)

    def caption(self):
        """Say in one sentence what the kernels' bytes were for."""
        t = self.traffic
        parts = [f"needed {t.needed:,}", f"scratch {t.scratch:,}", f"again {t.again:,}"] if t.programs else []
        parts += [f"torch {t.torch_moved:,}"] if t.torch_moved or not parts else []
        return f"{t.total:,} bytes moved: " + ", ".join(parts)

    def __str__(self):
        rows = [self.head, *self.rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.head))]

        def line(row):
            return "  ".join(
                [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
            ).rstrip()

        rule = "  ".join("-" * width for width in widths)
        lines = [line(row) for row in rows]
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], self.caption()])

    __repr__ = __str__

    def _repr_html_(self):
        def cells(row, line=""):
            name = f'<th scope="row" style="text-align:left;overflow-wrap:anywhere{line}">{escape(row[0])}</th>'
            numbers = "".join(f'<td style="text-align:right{line}">{escape(cell)}</td>' for cell in row[1:])
            return f"<tr>{name}{numbers}</tr>"

        *body, total = self.rows()
        head = "".join(f'<th scope="col" style="text-align:right">{name}</th>' for name in self.head[1:])
        caption = escape(self.caption())
        return (
            f'<div style="overflow-x:auto" tabindex="0" role="group" aria-label="{caption}">'
            f'<table class="dataframe"><caption style="caption-side:top;text-align:left">{caption}</caption>'
            f'<thead><tr><th scope="col" style="text-align:left">{self.head[0]}</th>{head}</tr></thead>'
            f"<tbody>{''.join(map(cells, body))}</tbody>"
            f"<tfoot>{cells(total, ';border-top:1px solid')}</tfoot></table></div>"
        )
