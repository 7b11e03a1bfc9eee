"""The interactive figures of chapter 3: powers of a matrix, clipping, the backward pass step by step."""

import math

import numpy as np

from seqlab.figures.figure import Figure, table


class MatrixPowers(Figure):
    """The state under powers of a 2 x 2 matrix, beside the size of the gradient that goes back through them.

    Parameters
    ----------
    radius : spectral radius of the matrix (the size of its eigenvalues), 0.5 to 1.5.
    angle : how far the matrix turns a vector in one step, in degrees, 0 to 180.
    steps : number of steps, 5 to 60.
    tanh : whether each product goes through tanh.
    start : the first state, two numbers.

    Raises
    ------
    ValueError
        when a number is outside its range.
    """

    module = "matrix_powers.js"
    label = "Powers of a matrix and the gradient that goes back through them"
    how = "Move the spectral radius across 1 and watch the state and its gradient; then switch tanh on."

    def __init__(self, radius=0.9, angle=20, steps=30, tanh=False, start=(0.9, 0.3)):
        check_number("radius", radius, 0.5, 1.5)
        check_number("angle", angle, 0, 180)
        check_number("steps", steps, 5, 60, whole=True)
        start = check_numbers("start", start, 2, 2, limit=2)
        super().__init__(radius=radius, angle=angle, steps=steps, tanh=bool(tanh), start=start, look=min(10, steps))

    def still(self):
        steps = self.state["steps"]
        rows = [
            [f"{radius:g}", *(f"{radius**t:.2g}" for t in (1, steps // 3, steps))]
            for radius in (0.5, 0.9, 0.99, 1, 1.01, 1.1, 1.5)
        ]
        head = ("radius", "after 1 step", f"after {steps // 3}", f"after {steps}")
        return table(head, rows, "Size of the gradient after t steps without tanh: the radius to the power t")


class ClipLab(Figure):
    """One gradient of two numbers, clipped by value or by norm.

    Parameters
    ----------
    gradient : two numbers, each from -40 to 40.
    limit : the threshold, 1 to 40.
    method : "norm" or "value".

    Raises
    ------
    ValueError
        when a number is outside its range or the method is unknown.
    """

    module = "clip_lab.js"
    label = "A gradient, clipped by value or by norm"
    how = "Move the gradient or the threshold, and compare what the two ways of clipping leave of it."

    def __init__(self, gradient=(30, 12), limit=20, method="norm"):
        gradient = check_numbers("gradient", gradient, 2, 2, limit=40)
        check_number("limit", limit, 1, 40)
        if method not in ("norm", "value"):
            raise ValueError(f"method is {method!r}; it must be 'norm' or 'value'")
        super().__init__(gradient=gradient, limit=limit, method=method)

    def still(self):
        g, limit = np.array(self.state["gradient"]), self.state["limit"]
        by_value, by_norm = np.clip(g, -limit, limit), g * limit / max(np.linalg.norm(g), limit)
        rows = [
            (name, *(f"{x:.2f}" for x in v), f"{np.linalg.norm(v):.2f}")
            for name, v in (("before", g), ("by value", by_value), ("by norm", by_norm))
        ]
        return table(("clipped", "g1", "g2", "length"), rows, f"One gradient, clipped at {limit:g}")


class BackwardGraph(Figure):
    """The unrolled graph of a network with one unit, whose backward pass is walked step by step.

    Parameters
    ----------
    x, y : inputs and targets, 2 to 6 numbers each; step t pays (h_t - y_t)^2 / 2.
    w_ih, w_hh, b : the weights of h_t = tanh(w_ih x_t + w_hh h_{t-1} + b), with h_0 = 0.
    loss : "every" step pays, or only the "last".
    truncate : 0, or k: cut the way back before steps k, 2k, ... (counted from 0), as
        `seqlab.recurrent.reference.rnn_backward` does.

    Raises
    ------
    ValueError
        when inputs and targets differ in number, a number is outside its range or a choice is unknown.
    """

    module = "backward_graph.js"
    label = "The backward pass through an unrolled network, step by step"
    how = "Walk the graph backwards: each step adds one term to the gradient of the shared weight."

    def __init__(
        self,
        x=(1, -0.5, 0.8, 0.3, -1),
        y=(0.5, 0.5, 0.5, 0.5, 0.5),
        w_ih=0.6,
        w_hh=0.9,
        b=0.1,
        loss="every",
        truncate=0,
    ):
        x = check_numbers("x", x, 2, 6, limit=10)
        y = check_numbers("y", y, len(x), len(x), limit=10)
        check_number("w_ih", w_ih, -1.5, 1.5)
        check_number("w_hh", w_hh, -1.5, 1.5)
        check_number("b", b, -10, 10)
        check_number("truncate", truncate, 0, len(x) - 1, whole=True)
        if loss not in ("every", "last"):
            raise ValueError(f"loss is {loss!r}; it must be 'every' or 'last'")
        super().__init__(x=x, y=y, w_ih=w_ih, w_hh=w_hh, b=b, loss=loss, truncate=truncate, weight="w_hh", step=0)

    def still(self):
        from seqlab.recurrent.reference import rnn_backward, rnn_forward

        s, T = self.state, len(self.state["x"])
        # a second input that is always 0 and has weight 1: the gradient that reaches it is the step's delta
        x = np.stack([s["x"], np.zeros(T)], axis=1)[None]
        weights = (np.array([[s["w_ih"], 1.0]]), np.array([[float(s["w_hh"])]]), np.array([float(s["b"])]), np.zeros(1))
        h, cache = rnn_forward(x, np.zeros((1, 1)), *weights)
        dh = h - np.array(s["y"])[None, :, None]
        if s["loss"] == "last":
            dh[:, :-1] = 0
        gradients = rnn_backward(dh, cache, truncate=s["truncate"] or None)
        h, dh, delta = h[0, :, 0], dh[0, :, 0], gradients["x"][0, :, 1]
        before = [0.0, *h[:-1]]
        rows = [
            (t + 1, f"{h[t]:.3f}", f"{dh[t]:.3f}", f"{delta[t]:.3f}", f"{delta[t] * before[t]:.3f}")
            for t in reversed(range(T))
        ]
        caption = f"Terms of dL/dw_hh, from the last step back; their sum is {gradients['W_hh'][0, 0]:.3f}"
        return table(("step", "state h", "own loss", "δ", "term"), rows, caption)


def check_number(name, value, low, high, whole=False):
    """One sentence when a number is not where it must be."""
    kind = int if whole else (int, float)
    if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
        what = "a whole number" if whole else "a number"
        raise ValueError(f"{name} is {value!r}; it must be {what} from {low} to {high}")


def check_numbers(name, values, least, most, limit):
    """The values as a list of plain floats, or one sentence saying what is wrong."""
    values = [float(value) for value in values]
    if not least <= len(values) <= most:
        count = f"{least}" if least == most else f"{least} to {most}"
        raise ValueError(f"{name} has {len(values)} numbers; it must have {count}")
    if not all(math.isfinite(value) and abs(value) <= limit for value in values):
        raise ValueError(f"{name} is {values}; each number must be from {-limit} to {limit}")
    return values
