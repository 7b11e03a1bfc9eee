"""What we predict of our kernels on an H200, written before any of them was measured there.

Each line was reasoned from the bytes, operations and steps of a kernel, and from what others published. They stay as
they are: the page of results shows what became of them. A share of the floor stands once for each size and pass.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A prediction about the fastest of our ways at one size.

    Attributes
    ----------
    benchmark : its name.
    shape : some sizes of one of its full shapes.
    passes : as in a case.
    of_floor : floor over our time, at least; None where nothing is predicted.
    peer : name of another way.
    of_peer : its time over ours, at least; below 1 we expect to lose. None where nothing is predicted.
    """

    benchmark: str
    shape: dict
    passes: str
    of_floor: float | None
    peer: str
    of_peer: float | None


FORWARD, BOTH = "forward", "forward and backward"
SCORES = {"B": 16384, "V": 32768, "dtype": "bfloat16"}
LAYER = {"M": 8192, "D": 2048, "V": 32768, "dtype": "bfloat16"}
ROWS = {"B": 1_000_000, "V": 1_000_000, "D": 256, "dtype": "float32"}
COMMON = {"B": 1_000_000, "V": 50_000, "D": 256, "dtype": "float32"}
WINDOWS = {"W": 166_667, "C": 10, "K": 5, "D": 300}
WIDE = {"B": 4, "H": 16, "T": 4096, "D": 128, "pairs": "causal", "dtype": "bfloat16"}
NARROW = {"B": 4, "H": 32, "T": 4096, "D": 64, "pairs": "causal", "dtype": "bfloat16"}
SENTENCES = {"B": 64, "T": 256, "D": 128, "pairs": "all"}
SPEECH = {"T": 1024, "B": 32, "C": 128, "L": 96}
SUBWORDS = {"T": 512, "B": 64, "C": 5000, "L": 64}
GATED = {"B": 64, "T": 512, "H": 512, "dtype": "bfloat16"}
SMALL = {"B": 64, "T": 512, "H": 128, "dtype": "bfloat16"}
PERSISTENT = {"B": 16, "T": 1024, "H": 768, "dtype": "float16"}

# Where a floor was then reckoned otherwise than `cost()` does now, the share says the same milliseconds; a test holds
# them. (Skip-gram: without sharing negatives. Additive attention: a tanh out of an exponential and a quotient.)
TARGETS = (
    Target("softmax", SCORES, FORWARD, 0.9, "torch.softmax", 1.0),
    Target("softmax", SCORES, FORWARD, None, "torch.compile", 1.0),
    Target("cross_entropy", SCORES, BOTH, 0.8, "F.cross_entropy", 3.0),
    Target("cross_entropy", SCORES, BOTH, None, "torch.compile", 1.1),
    Target("linear_cross_entropy", LAYER, FORWARD, 0.65, "F.cross_entropy of F.linear", 1.0),
    Target("linear_cross_entropy", LAYER, FORWARD, None, "F.linear_cross_entropy", 1.0),
    Target("linear_cross_entropy", LAYER, BOTH, 0.55, "F.cross_entropy of F.linear", 1.0),
    Target("linear_cross_entropy", LAYER, BOTH, None, "F.linear_cross_entropy", 1.0),
    Target("embedding", ROWS, FORWARD, 0.9, "F.embedding", 1.0),
    Target("embedding", COMMON, "backward", 0.35, "F.embedding's gradient", 2.0),
    Target("embedding", COMMON, "backward", None, "torch, index_add_", 1.0),
    Target("sgns", WINDOWS, "step", 0.137, "torch, index_add_", 10.0),
    Target("sgns", WINDOWS, "step", None, "torch, sparse gradients", 10.0),
    Target("sgns", WINDOWS, "step", None, "gensim", 10.0),
    Target("cbow", WINDOWS | {"W": 1_000_000}, "step", 0.5, "torch, index_add_", 10.0),
    Target("hierarchical", {"W": 166_667, "C": 10, "D": 300}, "skip-gram step", 0.27, "torch, index_add_", 5.0),
    Target("glove", {"n": 1_000_000, "D": 100}, "step", 0.5, "torch, index_add_", 5.0),
    Target("repulsion", {"N": 70_000, "d": 2}, FORWARD, 0.6, "torch, in blocks", 20.0),
    Target("perplexity_search", {"N": 70_000, "k": 90}, FORWARD, 0.19, "torch, all rows at once", 20.0),
    Target("beam_step", {"B": 64, "K": 10, "V": 32768, "dtype": "float32"}, FORWARD, 0.4, "log_softmax and topk", 5.0),
    Target("flash", WIDE, FORWARD, 0.5, "SDPA flash", 1.1),
    Target("flash", WIDE, FORWARD, None, "SDPA cuDNN", 0.75),
    Target("flash", WIDE, BOTH, 0.35, "SDPA flash", 0.8),
    Target("flash", NARROW, FORWARD, 0.45, "SDPA flash", 1.1),
    Target("flash", NARROW, FORWARD, None, "SDPA cuDNN", 0.95),
    Target("flash", NARROW, BOTH, 0.35, "SDPA flash", 0.8),
    Target("flash", SENTENCES, FORWARD, None, "bmm and softmax", 2.0),
    Target("additive", {"B": 64, "T": 256, "D": 512, "dtype": "float32"}, FORWARD, 0.187, "eager", 8.0),
    Target("ctc_loss", SPEECH, FORWARD, None, "F.ctc_loss", 3.0),
    Target("ctc_loss", SPEECH, BOTH, 0.5, "F.ctc_loss", 4.0),
    Target("ctc_loss", SUBWORDS, BOTH, 0.5, "F.ctc_loss", 3.0),
    Target("ctc_greedy", {"T": 1024, "B": 32, "C": 5000}, FORWARD, 0.85, "argmax and collapse", 2.0),
    Target(
        "ctc_beam",
        {"T": 512, "B": 64, "C": 1000, "K": 16, "dtype": "float32"},
        FORWARD,
        None,
        "seqlab torch on the CPU",
        20.0,
    ),
    Target("lstm", GATED, BOTH, 0.3, "torch.nn.LSTM", 1.5),
    Target("lstm", GATED, BOTH, None, "torch.nn.LSTM, packed", 1.5),
    Target("gru", GATED, BOTH, 0.3, "torch.nn.GRU", 1.5),
    Target("gru", GATED, BOTH, None, "torch.nn.GRU, packed", 1.5),
    Target("lstm", SMALL, BOTH, None, "torch.nn.LSTM", 0.9),
    Target("lstm", PERSISTENT, BOTH, None, "torch.nn.LSTM", 0.6),
)
