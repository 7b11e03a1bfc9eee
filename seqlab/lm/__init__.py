"""Language models: n-grams and recurrent networks, softmax and losses, training and sampling.

The names below are imported when they are first used: most need torch, and `seqlab.lm.reference` stays light.
"""

from seqlab.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "functional": ["cross_entropy", "linear_cross_entropy", "softmax"],
        "letters": ["load_letters"],
        "modules": ["LanguageModel"],
        "ngram": ["NGram"],
        "reference": ["perplexity"],
        "sampling": ["sample"],
        "training": ["evaluate", "streams", "train", "windows"],
    },
)
