"""A trained encoder-decoder with its two vocabularies: text in, text out."""

import torch

from seqlab.decode import beam_search, greedy
from seqlab.text import Vocabulary, pad

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
SPLITS = ("characters", "words")


def vocabularies(pairs, split, min_freq=1):
    """Collect the symbols of both sides.

    Parameters
    ----------
    pairs : list of pairs (source, target), each a text or a list of tokens.
    split : "characters" or "words": what a symbol is.
    min_freq : as in `Vocabulary`; a rarer symbol is read as `<unk>`.

    Returns
    -------
    source, target : `Vocabulary`. The source has <pad> and <unk>; the target also <bos>, which begins a sequence, and
        <eos>, which ends it.

    Raises
    ------
    ValueError
        when the split is unknown or there are no pairs.
    """
    if not pairs:
        raise ValueError("there are no pairs; a vocabulary needs at least one")
    sides = [[token for side in sides for token in tokens(side, split)] for sides in zip(*pairs, strict=True)]
    specials = (PAD, UNK), (PAD, UNK, BOS, EOS)
    return tuple(Vocabulary(side, min_freq, special) for side, special in zip(sides, specials, strict=True))


def tokens(text, split):
    """Cut a text into its symbols; a list of tokens stays what it is.

    Parameters
    ----------
    text : str, or a list of tokens.
    split : "characters" or "words" (what stands between spaces).

    Returns
    -------
    tokens : list of str.

    Raises
    ------
    ValueError
        when the split is unknown.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be 'characters' or 'words'")
    if not isinstance(text, str):
        return list(text)
    return list(text) if split == "characters" else text.split()


class Translator:
    """A model, its two vocabularies, and what a symbol is.

    Parameters
    ----------
    model : `EncoderDecoder`, or a module with its `encode` and `step`.
    source_vocabulary, target_vocabulary : as `vocabularies` makes them; the target needs <bos> and <eos>.
    split : "characters" or "words".
    log : dict of how the model was made, for `log`.

    Attributes
    ----------
    bos, eos : ids of the symbols that begin and end a target.
    log : how the model was made, an empty dict where nobody said.
    """

    def __init__(self, model, source_vocabulary, target_vocabulary, split, log=None):
        tokens("", split)
        for special in (BOS, EOS):
            if special not in target_vocabulary:
                raise ValueError(f"the target vocabulary has no {special!r}; make it with specials that hold it")
        self.model, self.split = model, split
        self.source_vocabulary, self.target_vocabulary = source_vocabulary, target_vocabulary
        self.bos, self.eos = target_vocabulary.ids[BOS], target_vocabulary.ids[EOS]
        self.log = {} if log is None else log

    def __repr__(self):
        return (
            f"Translator of {self.split}: {len(self.source_vocabulary)} symbols to {len(self.target_vocabulary)}, "
            f"{sum(p.numel() for p in self.model.parameters()):,} parameters"
        )

    def start(self, texts):
        """Read sources, each of its own length.

        Parameters
        ----------
        texts : list of N texts, or lists of tokens. A symbol that the source vocabulary lacks is read as <unk>.

        Returns
        -------
        state : what `step` goes on from, its tensors with N rows.

        Raises
        ------
        ValueError
            when there is no text, or one is empty.
        """
        if isinstance(texts, str):
            raise ValueError(f"texts is the string {texts[:20]!r}; give a list of texts")
        cut = [tokens(text, self.split) for text in texts]
        for row, symbols in enumerate(cut):
            if not symbols:
                raise ValueError(f"text {row} is empty; there is nothing to read")
        ids, lengths = pad([self.source_vocabulary.encode(symbols) for symbols in cut])
        device = next(self.model.parameters()).device
        with torch.no_grad():
            return self.model.encode(torch.from_numpy(ids).to(device), torch.from_numpy(lengths).to(device))

    def step(self, tokens, state):
        """Scores (N, V) of the next symbol and the new state, as a decoder of `seqlab.decode` takes it."""
        with torch.no_grad():
            return self.model.step(tokens, state)

    def translate(self, text, beam_width=1, alpha=0.0, n_best=None, *, max_len=None, **options):
        """Write the target of one text: greedily, or by beam search.

        Parameters
        ----------
        text : str, or a list of tokens.
        beam_width, alpha : as in `seqlab.decode.beam_search`; a width of 1 takes each step's best symbol.
        n_best : None for one answer, or how many hypotheses are wanted.
        max_len : the most symbols of an answer, <eos> counted; None: twice the length of the text, and 10.
        options : `penalty` and `coverage` of the beam search.

        Returns
        -------
        answer : str; or, with n_best, a list of pairs (answer, `seqlab.decode.Hypothesis`), the best first.

        Raises
        ------
        ValueError
            when the text is empty or a number is out of range.
        """
        max_len = self._room([text]) if max_len is None else max_len
        wanted = 1 if n_best is None else n_best
        ends = self.bos, self.eos, beam_width, max_len, alpha
        (found,) = beam_search(self.step, self.start([text]), *ends, n_best=wanted, **options)
        pairs = [(self._text(hypothesis.words), hypothesis) for hypothesis in found]
        return pairs[0][0] if n_best is None else pairs

    def answers(self, texts, batch_size=256, max_len=None):
        """Translate many texts side by side, each step's best symbol at a time.

        Parameters
        ----------
        texts : list of texts, or lists of tokens.
        batch_size : how many go together.
        max_len : the most symbols of an answer, <eos> counted; None: twice the longest source of its batch, and 10.

        Returns
        -------
        answers : list of str, in the order of the texts.

        Raises
        ------
        ValueError
            when a text is empty.
        """
        found = []
        for begin in range(0, len(texts), batch_size):
            some = texts[begin : begin + batch_size]
            room = self._room(some) if max_len is None else max_len
            found += greedy(self.step, self.start(some), self.bos, self.eos, room)
        return [self._text(hypothesis.words) for hypothesis in found]

    def attend(self, text):
        """Translate one text and tell where each step looked, :eq:`attention-weights`.

        Parameters
        ----------
        text : str, or a list of tokens.

        Returns
        -------
        source : list of the Tx tokens that were read.
        target : list of the Ty tokens that were written, without <eos>.
        weights : (Ty, Tx) array whose rows sum to one.

        Raises
        ------
        ValueError
            when the text is empty, or the model has no attention.
        """
        looks = []

        def step(tokens, state):
            scores, state = self.step(tokens, state)
            looks.append(state["weights"])
            return scores, state

        start = self.start([text])
        if start["weights"] is None:
            raise ValueError("this model has no attention, so there are no weights to show")
        (found,) = greedy(step, start, self.bos, self.eos, self._room([text]))
        weights = torch.cat(looks[: len(found.words)]) if found.words else start["weights"][:0]
        return tokens(text, self.split), self.target_vocabulary.decode(found.words), weights.cpu().numpy()

    def _room(self, texts):
        return 2 * max((len(tokens(text, self.split)) for text in texts), default=0) + 10

    def _text(self, ids):
        return ("" if self.split == "characters" else " ").join(self.target_vocabulary.decode(ids))
