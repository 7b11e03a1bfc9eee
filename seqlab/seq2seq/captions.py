"""Captions of pictures: a convolutional network sees, a recurrent decoder writes, with and without attention."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from seqlab import recurrent
from seqlab.attention import VisualAttention
from seqlab.shapes import check_shape, check_whole
from seqlab.text import Vocabulary, pad
from seqlab.weights import load_weights

FOLDER = Path(__file__).parent
MAX_WORDS = 30  # the longest right caption has 23
COMMAND = "seqlab train captions --out FILE.npz"


class ShapesCNN(nn.Module):
    """A small convolutional network: three layers of filters, :eq:`convolution`, each followed by ReLU.

    After each of the first two layers the picture is halved by taking the largest of every 2 x 2 places.

    Parameters
    ----------
    size : S, pixels of a side, a multiple of 8.
    channels : filters of the three layers; the last number is D.
    vector : None, or the width of a dense layer that sums the picture up, as the last layer before a classifier's
        softmax does. Batch normalisation keeps what differs from picture to picture. With None the vector is the mean
        of the grid, and D wide.

    Raises
    ------
    ValueError
        when a size is out of range.
    """

    def __init__(self, size=32, channels=(16, 32, 64), vector=None):
        super().__init__()
        if not isinstance(size, int) or size < 16 or size % 8:
            raise ValueError(f"size is {size!r}; it must be a multiple of 8, at least 16")
        if len(channels) != 3 or any(not isinstance(n, int) or n < 1 for n in channels):
            raise ValueError(f"channels is {channels!r}; it must hold three whole numbers, each at least 1")
        self.size, self.side = size, size // 4
        sizes = zip((3, *channels), channels, strict=False)
        self.layers = nn.ModuleList(nn.Conv2d(c_in, c_out, 3, padding=1) for c_in, c_out in sizes)
        self.pool = nn.MaxPool2d(2)
        self.dense = None if vector is None else nn.Linear(channels[-1] * (size // 8) ** 2, vector)
        self.norm = None if vector is None else nn.BatchNorm1d(vector)
        self.width = channels[-1] if vector is None else vector

    def forward(self, images):
        """See.

        Parameters
        ----------
        images : (B, S, S, 3) from 0 to 1, as `seqlab.data.shapes` draws them.

        Returns
        -------
        grid : (B, P, D) features of the P = (S/4)^2 places, row by row from the upper left.
        vector : (B, `width`) the picture in one vector.

        Raises
        ------
        ValueError
            when the shape does not fit.
        """
        check_shape("images", images, ("B", self.size, self.size, 3))
        x = 2 * images.permute(0, 3, 1, 2) - 1
        for number, layer in enumerate(self.layers):
            x = torch.relu(layer(x if number == 0 else self.pool(x)))
        grid = x.flatten(2).mT
        if self.dense is None:
            return grid, grid.mean(1)
        return grid, self.norm(self.dense(self.pool(x).flatten(1)))


class Captioner(nn.Module):
    """A language model that begins at a picture, :eq:`caption-model`; with attention it looks at each word.

    Without attention the last layer of the network, where a classifier would put its softmax, gives the first state of
    the decoder, and that is all that the decoder hears of the picture (Vinyals et al. 2015). With attention it begins
    at the mean of the grid and looks at the grid after reading each word, :eq:`visual-attention` (Xu et al. 2015). What
    it saw goes into the scores of the next word and into the step after it.

    Parameters
    ----------
    words : V, size of the vocabulary.
    attention : False or True.
    size, channels : as in `ShapesCNN`.
    vector : width of the network's last layer, without attention.
    embedding : E, the length of a word's vector.
    hidden : H, units of the LSTM.
    looking : units of the hidden layer of the score, with attention.
    """

    def __init__(
        self,
        words,
        *,
        attention=False,
        size=32,
        channels=(16, 32, 64),
        vector=128,
        embedding=32,
        hidden=128,
        looking=64,
    ):
        super().__init__()
        sizes = {"words": words, "vector": vector, "embedding": embedding, "hidden": hidden, "looking": looking}
        for name, number in sizes.items():
            check_whole(name, number)
        self.settings = {**sizes, "attention": attention, "size": size, "channels": list(channels)}
        self.words = words
        self.cnn = ShapesCNN(size, tuple(channels), None if attention else vector)
        D = channels[-1]
        seen = D if attention else 0
        self.first = nn.Linear(self.cnn.width, 2 * hidden)
        self.embed = nn.Embedding(words, embedding)
        self.lstm = recurrent.LSTM(embedding + seen, hidden, batch_first=True)
        self.out = nn.Linear(hidden + seen, words)
        self.attention = VisualAttention(hidden, D, looking) if attention else None
        self.place = nn.Parameter(0.02 * torch.randn(self.cnn.side**2, D)) if attention else None

    def encode(self, images):
        """Look at the pictures once, :eq:`caption-model`.

        Parameters
        ----------
        images : (B, S, S, 3) from 0 to 1.

        Returns
        -------
        state : dict of tensors whose first dimension is B: "h" and "c" (B, H). With attention also "grid" (B, P, D),
            "keys" (B, P, looking), and of the last word "context" (B, D), "weights" (B, P) and "gate" (B, 1); without,
            these are None.

        Raises
        ------
        ValueError
            when the shape does not fit.
        """
        grid, vector = self.cnn(images)
        h, c = torch.tanh(self.first(vector)).chunk(2, dim=1)
        state = {"h": h, "c": c}
        if self.attention is None:
            return state | dict.fromkeys(("grid", "keys", "context", "weights", "gate"))
        grid = grid + self.place
        nothing = {"context": torch.zeros_like(grid[:, 0]), "weights": grid.new_zeros(grid.shape[:2])}
        return state | {
            "grid": grid,
            "keys": self.attention.project(grid),
            **nothing,
            "gate": grid.new_zeros(len(h), 1),
        }

    def step(self, tokens, state):
        """Read a word, look, and score the next one, :eq:`visual-attention`.

        Parameters
        ----------
        tokens : (N,) ids of the words before; the first is the one that begins a caption.
        state : what `encode` or an earlier step returned.

        Returns
        -------
        scores : (N, V) of the next word.
        state : the state after this step. "weights" (N, P) says where the model looked for the next word, and "gate"
            (N, 1) how much of it was let through.

        Raises
        ------
        ValueError
            when the shape does not fit.
        """
        check_shape("tokens", tokens, ("N",))
        scores, state = self._steps(tokens[:, None], state)
        return scores[:, 0], state

    def forward(self, images, target_in):
        """Scores of every word of given captions.

        Parameters
        ----------
        images : (B, S, S, 3).
        target_in : (B, Ty) ids: the word that begins a caption, then the caption without its end.

        Returns
        -------
        scores : (B, Ty, V); those at t are for the word that follows target_in[:, t].

        Raises
        ------
        ValueError
            when a shape does not fit.
        """
        check_shape("target_in", target_in, (len(images), "Ty"))
        state = self.encode(images)
        if self.attention is None:
            return self._steps(target_in, state)[0]
        written = []
        for tokens in target_in.split(1, dim=1):
            scores, state = self._steps(tokens, state)
            written.append(scores)
        return torch.cat(written, dim=1)

    def _steps(self, tokens, state):
        """(N, T) ids -> (N, T, V) scores and the state after them; with attention T is 1."""
        x = self.embed(tokens)
        if self.attention is not None:
            x = torch.cat([x, state["context"][:, None]], dim=2)
        h, (last, c) = self.lstm(x, (state["h"][None].contiguous(), state["c"][None].contiguous()))
        state = state | {"h": last[0], "c": c[0]}
        if self.attention is None:
            return self.out(h), state
        query = last[0]
        context, weights = self.attention(query, state["grid"], projected=state["keys"])
        state |= {"context": context, "weights": weights, "gate": self.attention.openness(query)}
        return self.out(torch.cat([query, context], dim=1))[:, None], state


class Describer:
    """A captioner with its vocabulary: pictures in, words out.

    Attributes
    ----------
    model : `Captioner`.
    vocabulary : `Vocabulary` of the captions.
    bos, eos : ids of the tokens that begin and end a caption.
    log : dict of how the model was made; {} where nobody has written one.
    """

    def __init__(self, model, vocabulary, log=None):
        self.model, self.vocabulary, self.log = model, vocabulary, {} if log is None else log
        self.bos, self.eos = vocabulary.encode(["<bos>", "<eos>"])

    @property
    def step(self):
        """The model's step, for `seqlab.decode`."""
        return self.model.step

    @torch.no_grad()
    def start(self, images):
        """The state from which a decoder of `seqlab.decode` begins; images as for `write`."""
        images = torch.as_tensor(np.asarray(images, dtype=np.float32), device=next(self.model.parameters()).device)
        return self.model.encode(images)

    def write(self, images, beam_width=1, alpha=0.0):
        """Describe pictures.

        Parameters
        ----------
        images : (B, S, S, 3), array or tensor, from 0 to 1.
        beam_width : hypotheses kept by the search; 1 is greedy.
        alpha : exponent of the length normalisation, :eq:`length-normalisation`.

        Returns
        -------
        captions : list of B lists of words.

        Raises
        ------
        ValueError
            when the shape or a number does not fit.
        """
        from seqlab.decode import beam_search

        found = beam_search(self.step, self.start(images), self.bos, self.eos, beam_width, MAX_WORDS, alpha)
        return [self.words(best.tokens) for best, *_ in found]

    def words(self, ids):
        """The words of a caption's ids, without its end."""
        return [word for word in self.vocabulary.decode(ids) if word != "<eos>"]

    @torch.no_grad()
    def attend(self, images, captions=None):
        """Where the model looks for each word of a caption, and how far its gate opens.

        Parameters
        ----------
        images : (B, S, S, 3).
        captions : list of B lists of words to be looked up; None for those that the model writes.

        Returns
        -------
        captions : list of B lists of words.
        maps : list of B arrays (n, S/4, S/4), the weights (they sum to one) before each of the n words.
        gates : list of B arrays (n,), from 0 to 1.

        Raises
        ------
        ValueError
            when the model has no attention, or a word is not in its vocabulary.
        """
        if self.model.attention is None:
            raise ValueError("this model has no attention; load_captions(attention=True) gives one that has")
        captions = self.write(images) if captions is None else captions
        state, side = self.start(images), self.model.cnn.side
        ids, lengths = pad([[self.bos, *self.vocabulary.encode(words)] for words in captions])
        maps, gates = [], []
        for tokens in torch.from_numpy(ids).to(state["h"].device).unbind(1):
            _, state = self.step(tokens, state)
            maps.append(state["weights"].unflatten(1, (side, side)))
            gates.append(state["gate"][:, 0])
        maps, gates = (torch.stack(part, 1).cpu().numpy() for part in (maps, gates))
        n = lengths - 1
        return captions, [m[:k] for m, k in zip(maps, n, strict=True)], [g[:k] for g, k in zip(gates, n, strict=True)]


def load_captions(attention=True, path=None):
    """Read a model that describes pictures of shapes.

    Parameters
    ----------
    attention : which of the two that come with the package, the one with attention or the one without.
    path : a file that `seqlab train captions` wrote, instead of those.

    Returns
    -------
    describer : `Describer`; its `log` says how it was made and how often it is right.

    Raises
    ------
    ValueError
        when the file is something else.
    """

    def build(log):
        if log["task"] != "captions":
            raise ValueError(log["task"])
        return Captioner(**log["model"])

    shipped = FOLDER / f"captions_{'attention' if attention else 'plain'}.npz"
    model, log = load_weights(shipped if path is None else path, build, COMMAND)
    return Describer(model, Vocabulary("", specials=log["vocabulary"]), log)
