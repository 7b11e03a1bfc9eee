"""t-SNE by scikit-learn's rules: `TSNE(...).fit_transform(X)`."""

from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data
from tqdm import tqdm

from seqlab.shapes import check_shape
from seqlab.tsne.functional import Edges, attraction, attraction_in_rows, repulsion, repulsion_in_blocks, side_by_side
from seqlab.tsne.interpolation import repulsion_by_interpolation
from seqlab.tsne.neighbours import centred, sparse_joint_probabilities

EXAGGERATED = 250  # iterations with enlarged P, or a quarter of a short run
CHECK = 50  # iterations between two looks at the divergence
MANY = 10_000  # points from which on a CPU interpolates
PIECE = 1 << 16  # entries of P that a thread takes at a time
START = 1e-4  # standard deviation of the first coordinate of a start
FLAT = 1e-6  # a component that varies less, where the data reaches from -1 to 1, is rounding
SMALLEST = 1e-7  # norm of a gradient that moves nothing any more


class TSNE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Draw points of many dimensions in a few, so that neighbours stay neighbours (van der Maaten and Hinton, 2008).

    The sum of :eq:`tsne-gradient` is split in two. Attraction runs over the 3 * perplexity nearest neighbours;
    repulsion runs over all pairs, exactly, in blocks, or where there are many points, on a grid. No N x N array is
    stored. The descent is :eq:`tsne-update`, at first with enlarged P and momentum 0.5, then with momentum 0.8.

    Parameters
    ----------
    n_components : d, dimensions of the map. The weights are Student's t with one degree of freedom for every d
        (scikit-learn takes d - 1 of them).
    perplexity : effective number of neighbours, 1 <= perplexity <= N - 1.
    early_exaggeration : factor of P in the first 250 iterations, or in the first quarter of fewer than 1,000.
    learning_rate : a number, or "auto": N / early_exaggeration / 4, at least 50 (Belkina et al., 2019).
    max_iter : iterations. Once P is as it is, the run ends early when the norm of the gradient falls below 1e-7.
    init : "pca" (the first principal components; a direction that the data does not have starts at random), "random",
        or an array (N, d), which is taken as it is.
    random_state : None, a seed or a `numpy.random.RandomState`. With a seed the map is the same, bit for bit, on the
        same machine and device, with the same number of threads.
    method : "exact" (time grows with N^2), "interpolated" (time grows with N; forces off by about a hundredth;
        d at most 2, on the CPU alone; see `seqlab.tsne.interpolation`), or "auto": exact on a GPU, where d is above 2,
        and up to 10,000 points.
    progress : True for a bar with the time that is left.
    backend : "torch", "triton" or "auto": of `seqlab.tsne.functional`.
    device : of torch; None for CUDA where it is there and the CPU elsewhere.

    Attributes
    ----------
    embedding_ : (N, d) float32 map.
    kl_divergence_ : KL(P || Q) of the map in nats, :eq:`tsne-kl`, with the P of the neighbours and the Q of all pairs.
    n_iter_ : iterations that were run.
    learning_rate_ : the number that was used.
    history_ : (looks, 2) iteration and divergence (with the true P), every 50 iterations and at the end.
    n_features_in_ : D.
    """

    def __init__(
        self,
        n_components=2,
        perplexity=30.0,
        *,
        early_exaggeration=12.0,
        learning_rate="auto",
        max_iter=1000,
        init="pca",
        random_state=None,
        method="auto",
        progress=False,
        backend="auto",
        device=None,
    ):
        self.n_components = n_components
        self.perplexity = perplexity
        self.early_exaggeration = early_exaggeration
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.init = init
        self.random_state = random_state
        self.method = method
        self.progress = progress
        self.backend = backend
        self.device = device

    def fit(self, X, y=None):
        """Make the map of X.

        Parameters
        ----------
        X : (N, D) numbers, at least 2 points.
        y : ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            when X holds NaN or Inf or is no table of numbers, a parameter does not fit, or the map flies apart because
            the learning rate is too large.
        """
        self.fit_transform(X)
        return self

    def fit_transform(self, X, y=None):
        """Make the map of X and return it; there is no `transform`, for a map holds no other points.

        Parameters
        ----------
        X : (N, D) numbers, at least 2 points.
        y : ignored.

        Returns
        -------
        embedding : (N, d) float32.

        Raises
        ------
        ValueError
            as `fit` does.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        self._check(len(X))
        X, rng = centred(X), check_random_state(self.random_state)
        device = self._device()
        P = sparse_joint_probabilities(X, self.perplexity, self.backend, device)
        Y = torch.from_numpy(self._start(X, rng)).to(device)
        self.learning_rate_ = self._rate(len(X))
        with self._forces(P, Y) as forces:
            self.embedding_ = self._descend(Y, forces, -(P.data * np.log(P.data)).sum()).cpu().numpy()
        return self.embedding_

    def _device(self):
        interpolated = self.method == "interpolated"
        device = self.device or ("cuda" if torch.cuda.is_available() and not interpolated else "cpu")
        if interpolated and (torch.device(device).type != "cpu" or self.backend == "triton"):
            raise ValueError(
                "method='interpolated' runs on the CPU, by torch: leave device and backend out, or 'exact'"
            )
        return device

    @contextmanager
    def _forces(self, P, like):
        """Give a function of the map: attraction, its cross-entropy, repulsion, Z."""
        starts, columns = (torch.as_tensor(ids, dtype=torch.int64, device=like.device) for ids in (P.indptr, P.indices))
        p = torch.as_tensor(P.data, dtype=like.dtype, device=like.device)
        if self.backend == "triton" or like.is_cuda:
            yield lambda Y: (*attraction(Y, starts, columns, p, self.backend), *repulsion(Y, self.backend))
            return
        parts, threads = Edges.of(starts, columns, p).pieces(PIECE), torch.get_num_threads()
        many = self.method == "auto" and len(like) > MANY and self.n_components <= 2
        with side_by_side() as run:
            if many or self.method == "interpolated":
                yield lambda Y: (*attraction_in_rows(Y, parts, run), *_interpolated(Y, threads))
            else:
                yield lambda Y: (*attraction_in_rows(Y, parts, run), *repulsion_in_blocks(Y, run))

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]

    def _rate(self, N):
        if self.learning_rate == "auto":
            return max(N / self.early_exaggeration / 4, 50.0)
        return float(self.learning_rate)

    def _start(self, X, rng):
        """The start of the map, (N, d) float32."""
        N, d = len(X), self.n_components
        if not isinstance(self.init, str):
            Y = np.array(self.init, dtype=np.float32)
            check_shape("init", Y, (N, d))
            if not np.isfinite(Y).all():
                raise ValueError("init holds NaN or Inf; it must hold the start of every point")
            return Y
        Y = rng.standard_normal((N, d)) * START
        if self.init == "pca" and X.any():
            have = min(d, *X.shape)
            components = PCA(have, random_state=rng).set_output(transform="default").fit_transform(X)
            deviations = components.std(axis=0)
            real = np.flatnonzero(deviations > FLAT)
            Y[:, real] = components[:, real] * START / deviations[0]
        return Y.astype(np.float32)

    def _descend(self, Y, forces, entropy):
        """Follow the gradient for `max_iter` iterations from Y; `entropy` is that of P."""
        velocity, gains = torch.zeros_like(Y), torch.ones_like(Y)
        exaggerated = min(EXAGGERATED, self.max_iter // 4)
        history = []
        with tqdm(total=self.max_iter, disable=not self.progress, unit="iteration") as bar:
            for step in range(self.max_iter + 1):
                pull, cross, push, Z = forces(Y)
                factor, momentum = (self.early_exaggeration, 0.5) if step < exaggerated else (1.0, 0.8)
                gradient = 4 * (factor * pull - push / Z)
                if step % CHECK == 0 or step == self.max_iter:
                    history.append((step, float(cross.double() + Z.double().log()) - entropy))
                    bar.set_postfix(KL=f"{history[-1][1]:.3f}")
                    norm = float(gradient.norm())
                    self._check_norm(norm)
                    if step == self.max_iter or (step >= exaggerated and norm <= SMALLEST):
                        break
                onward = velocity * gradient < 0
                gains = torch.where(onward, gains + 0.2, gains * 0.8).clamp_(min=0.01)
                velocity = momentum * velocity - self.learning_rate_ * gains * gradient
                Y = Y + velocity
                bar.update()
        self.n_iter_ = step
        self.history_ = np.array(history)
        self.kl_divergence_ = history[-1][1]
        return Y

    def _check_norm(self, number):
        if not np.isfinite(number):
            raise ValueError(f"the map flew apart; take a learning_rate below {self.learning_rate_:g}, or 'auto'")

    def _check(self, N):
        """Say what is wrong with a parameter."""
        _check_number("n_components", self.n_components, Integral, 1)
        _check_number("max_iter", self.max_iter, Integral, 1)
        _check_number("perplexity", self.perplexity, Real, 1)
        _check_number("early_exaggeration", self.early_exaggeration, Real, 1)
        if isinstance(self.learning_rate, str):
            if self.learning_rate != "auto":
                raise ValueError(f"learning_rate is {self.learning_rate!r}; it must be a number above 0 or 'auto'")
        elif not (isinstance(self.learning_rate, Real) and 0 < self.learning_rate < np.inf):
            raise ValueError(f"learning_rate is {self.learning_rate!r}; it must be a number above 0 or 'auto'")
        if isinstance(self.init, str) and self.init not in ("pca", "random"):
            raise ValueError(f"init is {self.init!r}; it must be 'pca', 'random' or an array (N, n_components)")
        if self.method not in ("auto", "exact", "interpolated"):
            raise ValueError(f"method is {self.method!r}; it must be 'auto', 'exact' or 'interpolated'")
        if self.method == "interpolated" and self.n_components > 2:
            raise ValueError(f"method='interpolated' draws in 1 or 2 dimensions; with {self.n_components} take 'exact'")
        if self.perplexity > N - 1:
            raise ValueError(
                f"perplexity is {self.perplexity}; X has {N} points (n_samples = {N}), so it must be at most {N - 1}"
            )


def _interpolated(Y, workers):
    if not Y.isfinite().all():
        return torch.full_like(Y, torch.nan), Y.new_tensor(torch.nan)  # the next look at the gradient finds it
    force, Z = repulsion_by_interpolation(Y.numpy(), workers)
    return torch.from_numpy(force).to(Y.dtype), torch.tensor(Z, dtype=Y.dtype)


def _check_number(name, value, kind, least):
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value < np.inf:
        whole = "whole number" if kind is Integral else "number"
        raise ValueError(f"{name} is {value!r}; it must be a {whole}, at least {least}")
