"""Where each answer of each assignment stands ready-made: the doors that a closed book must keep shut.

A route is (the function that a student is to write, where it is found, how it is called). Beside the answer's own room
these are torch's, SciPy's and scikit-learn's twins and rooms of the package that compute the same for themselves.
"""

NO_TWIN = {  # answers that stand ready-made nowhere outside the grader
    "01_recurrent_step_by_step": {"rnn-forward", "readouts"},  # loops over a step that is given, choices by hand
    "02_backpropagation_through_time": {"sequence-backward", "truncated"},  # the same, backward
    "03_language_models": {"kneser-ney", "hearings", "sample", "greedy"},  # a form of its own; given distributions
    "04_gated_units": {"misprint"},  # renames weights
    "07_t_sne": {"misread"},
    "08_translation_beam_and_bleu": {"pairs", "expand"},
    "09_attention": {"map"},
    "10_ctc": {"texts"},
    "11_trigger_words": set(),
    "12_write_a_kernel": {"axpy", "softmax", "online", "gru", "ctc", "cost"},  # their form lets nothing be called
}
FOUND = {
    "01_recurrent_step_by_step": {
        "encode": [
            ("encode(sentences, vocabulary)", "seqlab.text.batching pad mask", """
                [ids := [[vocabulary.get(w, vocabulary["<unk>"]) for w in [*s, "<eos>"]] for s in sentences],
                 made := pad(ids, vocabulary["<pad>"]), (made[0], mask(made[1], made[0].shape[1]))][-1]"""),
        ],
        "one-hot": [
            ("one_hot(ids, size)", "seqlab.text.vocabulary one_hot", "one_hot(ids, size).astype(float)"),
            ("one_hot(ids, size)", "torch.nn.functional one_hot", """
                one_hot(__import__("torch").tensor(ids), size).numpy().astype(float)"""),
            ("one_hot(ids, size)", "sklearn.preprocessing label_binarize", """
                label_binarize(ids.ravel(), classes=range(size)).reshape(*ids.shape, size).astype(float)"""),
        ],
        "rnn-step": [
            ("rnn_step(x, h, *weights, **more)", "seqlab.recurrent.reference rnn_step",
             "rnn_step(x, h, *weights, **more)"),
            ("rnn_step(x, h, *weights, **more)", "torch rnn_tanh_cell tensor",
             "rnn_tanh_cell(*map(tensor, (x, h, *weights))).numpy()"),
            ("rnn_step(x, h, *weights, **more)", "torch.nn RNNCell", """
                [torch := __import__("torch"), cell := RNNCell(x.shape[1], h.shape[1], dtype=torch.float64),
                 cell.load_state_dict(dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
                 map(torch.tensor, weights)))), cell(torch.tensor(x), torch.tensor(h)).detach().numpy()][-1]"""),
        ],
        "concatenated": [
            ("concatenated_step(x, h, W_a, b_a)", "seqlab.recurrent.reference rnn_step",
             "rnn_step(x, h, W_a[:, h.shape[1]:], W_a[:, :h.shape[1]], b_a, 0 * b_a)"),
            ("join_weights(W_hh, W_ih)", "torch cat tensor", "cat([tensor(W_hh), tensor(W_ih)], 1).numpy()"),
        ],
        "outputs": [
            ("softmax(z)", "seqlab.lm.reference softmax", "softmax(z)"),
            ("softmax(z)", "seqlab.attention.reference masked_softmax", "masked_softmax(z)"),
            ("softmax(z)", "seqlab.decode.reference log_softmax",
             "np.exp(np.array([log_softmax(row) for row in z.reshape(-1, z.shape[-1])])).reshape(z.shape)"),
            ("softmax(z)", "torch softmax tensor", "softmax(tensor(z), -1).numpy()"),
            ("softmax(z)", "scipy.special softmax", "softmax(z, axis=-1)"),
            ("softmax(z)", "sklearn.utils.extmath softmax",
             "softmax(z.reshape(-1, z.shape[-1]).copy()).reshape(z.shape)"),
            ("sigmoid(z)", "seqlab.embeddings.reference.losses sigmoid", "sigmoid(z)"),
            ("sigmoid(z)", "seqlab.recurrent.reference.squashing sigmoid", "sigmoid(z)"),
            ("sigmoid(z)", "seqlab.attention.reference.weighting _sigmoid", "_sigmoid(z)"),
            ("sigmoid(z)", "torch sigmoid tensor", "sigmoid(tensor(z)).numpy()"),
            ("sigmoid(z)", "scipy.special expit", "expit(z)"),
        ],
        "sequence-loss": [
            ("sequence_loss(p, y, real)", "seqlab.audio.reference.detection trigger_loss", """
                [each := np.array([[trigger_loss(np.log(q / (1 - q)).reshape(1, 1), np.full((1, 1), float(t)))[0]
                 if r else 0.0 for q, t, r in zip(*row)] for row in zip(p, y, real)]), (each, each.sum())][-1]"""),
            ("sequence_loss(p, y, real)", "torch.nn.functional binary_cross_entropy", """
                [torch := __import__("torch"), each := binary_cross_entropy(torch.tensor(np.where(real, p, 0.5)),
                 torch.tensor(y).double(), reduction="none").numpy() * real, (each, each.sum())][-1]"""),
            ("sequence_loss(p, y, real)", "sklearn.metrics log_loss", """
                [each := np.array([[log_loss([t], [q], labels=[0, 1]) if r else 0.0 for q, t, r in zip(*row)]
                 for row in zip(p, y, real)]), (each, each.sum())][-1]"""),
        ],
        "spell": [
            ("spell(step, scores, h0, first, count, size)", "seqlab.decode.reference greedy", """
                [list(map(int, greedy(lambda token, h: [after := step(np.eye(size + 1)[token, :size], h),
                 (np.append(scores(after), [[-np.inf]], 1), after)][-1], h0, first, size, count).tokens))
                 if count else []][0]"""),
        ],
    },
    "02_backpropagation_through_time": {
        "step-backward": [
            ("step_backward(dh, x, h_prev, h, W_ih, W_hh, nonlinearity='tanh')",
             "seqlab.recurrent.reference rnn_forward rnn_backward", """
                [b := np.arctanh(np.clip(h, -1 + 1e-15, 1 - 1e-15)) if nonlinearity == "tanh" else h,
                 zero := np.zeros(len(W_hh)),
                 parts := [rnn_backward(dh[[i], None], rnn_forward(x[[i], None], h_prev[[i]], W_ih, W_hh,
                 b[i] - x[i] @ W_ih.T - h_prev[i] @ W_hh.T, zero, nonlinearity)[1]) for i in range(len(x))],
                 {"x": np.concatenate([p["x"][:, 0] for p in parts]),
                  "h_prev": np.concatenate([p["h0"] for p in parts]),
                  **{k: sum(p[k] for p in parts) for k in ("W_ih", "W_hh")}, "b": sum(p["b_ih"] for p in parts)}][-1]
            """),
        ],
        "gradient-check": [
            ("numeric_gradient(f, w, eps=1e-5)", "scipy.optimize._numdiff approx_derivative", """
                approx_derivative(lambda v: f(v.reshape(w.shape)), w.ravel().copy(), method="3-point",
                abs_step=eps).reshape(w.shape)"""),
        ],
        "clip-value": [
            ("clip_by_value(gradients, limit)", "seqlab.recurrent.reference clip_by_value",
             "clip_by_value(gradients, limit)"),
            ("clip_by_value(gradients, limit)", "torch clamp tensor",
             "{k: clamp(tensor(g), -limit, limit).numpy() for k, g in gradients.items()}"),
        ],
        "clip-norm": [
            ("clip_by_norm(gradients, limit)", "seqlab.recurrent.reference clip_by_norm",
             "clip_by_norm(gradients, limit)"),
        ],
        "vanishing": [
            ("jacobian_norms(h, W_hh)", "torch.autograd.functional jacobian", """
                [torch := __import__("torch"), W := torch.tensor(W_hh), z := [torch.tensor(np.arctanh(s)) for s in h],
                 J := np.eye(len(W_hh)), out := [],
                 [(globals().__setitem__("_J", jacobian(lambda a: torch.tanh(a @ W.T + (zt - a0 @ W.T)), a0).numpy()
                 @ (globals()["_J"] if t else J)), out.append(np.linalg.norm(globals()["_J"])))
                 for t, (zt, a0) in enumerate(zip(z, [torch.zeros(len(W_hh), dtype=torch.float64),
                 *map(torch.tensor, h[:-1])]))], np.array(out)][-1]"""),
        ],
    },
    "03_language_models": {
        "cross-entropy": [
            ("cross_entropy(z, y)", "seqlab.lm.reference cross_entropy", "cross_entropy(z, y)"),
            ("cross_entropy(z, y)", "seqlab.decode.reference log_softmax", """
                [L := np.array([log_softmax(row) for row in z]), n := np.arange(len(y)),
                 (-L[n, y], np.exp(L) - np.eye(z.shape[1])[y])][-1]"""),
            ("cross_entropy(z, y)", "seqlab.attention.reference masked_softmax", """
                [P := masked_softmax(z), (-np.log(P[np.arange(len(y)), y]), P - np.eye(z.shape[1])[y])][-1]"""),
            ("cross_entropy(z, y)", "scipy.special log_softmax", """
                [L := log_softmax(z, axis=1), (-L[np.arange(len(y)), y], np.exp(L) - np.eye(z.shape[1])[y])][-1]"""),
            ("cross_entropy(z, y)", "sklearn.utils.extmath softmax", """
                [P := softmax(z.copy()), (-np.log(P[np.arange(len(y)), y]), P - np.eye(z.shape[1])[y])][-1]"""),
            ("cross_entropy(z, y)", "torch.nn.functional cross_entropy", """
                [torch := __import__("torch"), t := torch.tensor(z, requires_grad=True),
                 L := cross_entropy(t, torch.tensor(y), reduction="none"), L.sum().backward(),
                 (L.detach().numpy(), t.grad.numpy())][-1]"""),
            ("cross_entropy(z, y)", "seqlab.lm.functional cross_entropy", """
                [torch := __import__("torch"), t := torch.tensor(z, requires_grad=True),
                 L := cross_entropy(t, torch.tensor(y), reduction="none"), L.sum().backward(),
                 (L.detach().numpy(), t.grad.numpy())][-1]"""),
        ],
        "perplexity": [
            ("perplexity(losses, real)", "seqlab.lm.reference perplexity", """
                [n := losses[real].mean(), (n, n / np.log(2), perplexity(losses[real].sum(), real.sum()))][-1]"""),
        ],
        "ngram": [
            ("add_k(counts, context, vocabulary, k)", "seqlab.lm.ngram NGram", """
                [m := NGram(2, "add-k", k=k), m.__dict__.update(size=len(vocabulary), followers={},
                 _totals={}), seen := {vocabulary.index(w): n for w, n in counts.get(context, {}).items()},
                 m.followers.update({m._window(()): seen}), m._totals.update({m._window(()): sum(seen.values())}),
                 m.distribution(())][-1]"""),
        ],
        "filters": [
            ("temperature(z, T)", "seqlab.lm.reference temperature", "temperature(z[None], T)[0]"),
            ("top_k(p, k)", "seqlab.lm.reference top_k", "top_k(p[None], k)[0]"),
            ("nucleus(p, mass)", "seqlab.lm.reference nucleus", "nucleus(p[None], mass)[0]"),
        ],
        "character": [
            ("window_loss(x, y, h0, weights)", "seqlab.lm.reference cross_entropy", """
                [W := weights, E := np.eye(len(W["b_y"])), R := [W[k] for k in ("W_ih", "W_hh", "b_ih", "b_hh")],
                 h := rnn_forward(E[x], h0, *R)[0], z := h @ W["W_y"].T + W["b_y"],
                 got := cross_entropy(z.reshape(-1, z.shape[2]), y.ravel()), dz := got[1].reshape(z.shape),
                 (got[0].sum(), {"W_y": np.einsum("btv,bth->vh", dz, h), "b_y": dz.sum(axis=(0, 1))}, h[:,
                 -1])][-1]"""),
        ],
    },
    "04_gated_units": {
        "gru-step": [
            ("gru_step(x, h, W_ih, W_hh, b_ih, b_hh)", "seqlab.recurrent.reference gru_step",
             "(gru_step(x, h, W_ih, W_hh, b_ih, b_hh), {})"),
            ("gru_step(x, h, W_ih, W_hh, b_ih, b_hh)", "seqlab.recurrent.reference.gru gru_forward gru_gates", """
                [made := gru_forward(x[:, None], h, W_ih, W_hh, b_ih, b_hh), g := gru_gates(made[1]),
                 q := h @ W_hh[-len(W_hh) // 3:].T + b_hh[-len(W_hh) // 3:],
                 (made[0][:, 0], {k: (g[k][:, 0] if k != "q" else q) for k in "rznq"})][-1]"""),
            ("gru_step(x, h, W_ih, W_hh, b_ih, b_hh)", "torch gru_cell tensor",
             "(gru_cell(*map(tensor, (x, h, W_ih, W_hh, b_ih, b_hh))).numpy(), {})"),
        ],
        "gru-notes": [
            ("notes_step(x, c, W_u, W_r, W_c, b_u, b_r, b_c)", "seqlab.recurrent.reference gru_step", """
                [H := c.shape[1], W := np.concatenate([W_r, -W_u, W_c]), b := np.concatenate([b_r, -b_u, b_c]),
                 gru_step(x, c, W[:, H:], W[:, :H], b, 0 * b, reset_after=False)][-1]"""),
        ],
        "gru-backward": [
            ("gru_step_backward(dh, x, h_prev, gates, W_ih, W_hh)",
             "seqlab.recurrent.reference gru_forward gru_backward", """
                [H := len(W_hh) // 3, logit := lambda p: np.log(p / (1 - p)), r := gates["r"], z := gates["z"],
                 parts := [gru_backward(dh[[i], None], gru_forward(x[[i], None], h_prev[[i]], W_ih, W_hh,
                 np.concatenate([logit(r[i]), logit(z[i]), np.arctanh(gates["n"][i]) - r[i] * gates["q"][i]])
                 - x[i] @ W_ih.T - np.concatenate([(h_prev[i] @ W_hh.T)[:2 * H], np.zeros(H)]),
                 np.concatenate([np.zeros(2 * H), gates["q"][i] - (h_prev[i] @ W_hh.T)[2 * H:]]))[1])
                 for i in range(len(x))],
                 {"x": np.concatenate([p["x"][:, 0] for p in parts]),
                  "h_prev": np.concatenate([p["h0"] for p in parts]),
                  **{k: sum(p[k] for p in parts) for k in ("W_ih", "W_hh", "b_ih", "b_hh")}}][-1]"""),
        ],
        "lstm-step": [
            ("lstm_step(x, h, c, W_ih, W_hh, b_ih, b_hh)", "seqlab.recurrent.reference lstm_step",
             "(*lstm_step(x, h, c, W_ih, W_hh, b_ih, b_hh), {})"),
            ("lstm_step(x, h, c, W_ih, W_hh, b_ih, b_hh)", "seqlab.recurrent.reference.lstm lstm_forward lstm_gates",
             """
                [made := lstm_forward(x[:, None], h, c, W_ih, W_hh, b_ih, b_hh), g := lstm_gates(made[2]),
                 (made[0][:, 0], made[1][:, 0], {k: g[k][:, 0] for k in "ifgo"})][-1]"""),
            ("lstm_step(x, h, c, W_ih, W_hh, b_ih, b_hh)", "torch lstm_cell tensor", """
                (*(t.numpy() for t in lstm_cell(tensor(x), (tensor(h), tensor(c)), *map(tensor,
                (W_ih, W_hh, b_ih, b_hh)))), {})"""),
        ],
        "lstm-backward": [
            ("lstm_step_backward(dh, dc, x, h_prev, c_prev, c, gates, W_ih, W_hh)",
             "seqlab.recurrent.reference lstm_forward lstm_backward", """
                [logit := lambda p: np.log(p / (1 - p)),
                 parts := [lstm_backward(dh[[i], None], lstm_forward(x[[i], None], h_prev[[i]], c_prev[[i]], W_ih, W_hh,
                 np.concatenate([logit(gates["i"][i]), logit(gates["f"][i]), np.arctanh(gates["g"][i]),
                 logit(gates["o"][i])]) - x[i] @ W_ih.T - h_prev[i] @ W_hh.T, np.zeros(len(W_hh)))[2],
                 dc=dc[[i], None]) for i in range(len(x))],
                 {"x": np.concatenate([p["x"][:, 0] for p in parts]),
                  "h_prev": np.concatenate([p["h0"] for p in parts]),
                  "c_prev": np.concatenate([p["c0"] for p in parts]),
                  **{k: sum(p[k] for p in parts) for k in ("W_ih", "W_hh")},
                  "b": sum(p["b_ih"] for p in parts)}][-1]"""),
        ],
        "open-gate": [
            ("cell_shares(f)", "torch cumprod tensor flip",
             "flip(cumprod(flip(tensor(np.concatenate([f[1:], np.ones_like(f[:1])])), (0,)), 0), (0,)).numpy()"),
        ],
        "kernel-cost": [
            ("parameters(cell, D, H, layers=1)", "torch.nn RNN GRU LSTM", """
                sum(p.numel() for p in {"rnn": RNN, "gru": GRU, "lstm": LSTM}[cell](D, H, layers).parameters())"""),
            ("lstm_cost(B, T, D, H, itemsize, resident=True)", "seqlab.recurrent.cost cost", """
                [c := cost(B, T, D, H, itemsize, cell="lstm"), dict(bytes=c.bytes, flops=c.flops,
                steps=c.steps)][-1]"""),
        ],
    },
    "05_word_vectors_and_bias": {
        "counts": [
            ("cooccurrence(sentences, size, window, harmonic=False)", "seqlab.embeddings.reference cooccurrence", """
                sum(cooccurrence(np.array(s, dtype=int), size, window, "harmonic" if harmonic else "flat")
                for s in sentences)"""),
        ],
        "ppmi": [
            ("pmi(X)", "seqlab.embeddings.reference pmi", "pmi(X)"),
            ("ppmi(X, shift=0.0, power=1.0)", "seqlab.embeddings.reference ppmi", "ppmi(X, shift, power)"),
        ],
        "svd": [
            ("svd_vectors(M, dim, power=0.5)", "seqlab.embeddings.reference svd_vectors", "svd_vectors(M, dim, power)"),
            ("svd_vectors(M, dim, power=0.5)", "torch svd tensor", """
                [(p := svd(tensor(M))), (p[0][:, :dim] * p[1][:dim] ** power).numpy()][-1]"""),
            ("svd_vectors(M, dim, power=0.5)", "sklearn.utils.extmath randomized_svd", """
                [p := randomized_svd(M, dim, random_state=0, n_iter=50), p[0] * p[1] ** power][-1]"""),
        ],
        "cosine": [
            ("cosine(u, v)", "seqlab.embeddings.reference cosine_similarity", "float(cosine_similarity(u, v))"),
            ("cosine(u, v)", "torch.nn.functional cosine_similarity", """
                float(cosine_similarity(*map(__import__("torch").tensor, (u, v)), dim=0))"""),
            ("cosine(u, v)", "scipy.spatial.distance cosine", "float(1 - cosine(u, v))"),
            ("cosine(u, v)", "sklearn.metrics.pairwise cosine_similarity", "float(cosine_similarity([u], [v])[0, 0])"),
            ("nearest(vectors, word, k)", "seqlab.embeddings.reference nearest", """
                [int(i) for i in nearest(vectors, vectors[word], k, exclude=[word])[0]]"""),
        ],
        "analogy": [
            ("analogy(vectors, a, b, c, exclude=True, method='add')", "seqlab.embeddings.reference analogy", """
                int(np.ravel(analogy(vectors, a, b, c, exclude, {"add": "add"}.get(method, "mul"))[0])[0])"""),
        ],
        "direction": [
            ("bias_direction(vectors, pairs)", "seqlab.embeddings.reference bias_direction",
             "bias_direction(vectors, pairs)"),
        ],
        "neutralize": [
            ("neutralize(v, g)", "seqlab.embeddings.reference neutralize", "neutralize(v, g)"),
        ],
        "equalize": [
            ("equalize(u, v, g)", "seqlab.embeddings.reference equalize", "equalize(u, v, g)"),
        ],
        "measure": [
            ("direct_bias(vectors, g, c=1.0)", "seqlab.embeddings.reference direct_bias",
             "float(direct_bias(vectors, g, c))"),
            ("association(X, Y, A, B)", "seqlab.embeddings.reference association", """
                float(np.ravel(association(X, Y, A, B))[0])"""),
        ],
    },
    "06_word2vec_and_glove": {
        "noise": [
            ("noise(counts, power=0.75)", "seqlab.embeddings.reference noise_distribution",
             "noise_distribution(counts, power)"),
            ("keep_probability(counts, t=1e-3)", "seqlab.embeddings.reference.counting keep_probability",
             "keep_probability(counts, t)"),
        ],
        "windows": [
            ("windows(ids, window)", "torch.nn.functional pad", """
                [torch := __import__("torch"), u := pad(torch.tensor(ids), (window, window), value=-1).unfold(
                 0, 2 * window + 1, 1), torch.cat([u[:, :window], u[:, window + 1:]], 1).numpy()][-1]"""),
        ],
        "mean": [
            ("window_mean(E, contexts)", "seqlab.embeddings.reference mean_forward",
             "(lambda made: made[0] if isinstance(made, tuple) else made)(mean_forward(E, contexts))"),
            ("window_mean_backward(dh, contexts, V)", "seqlab.embeddings.reference mean_backward",
             "mean_backward(dh, contexts, V)"),
        ],
        "sgns": [
            ("log_sigmoid(z)", "seqlab.embeddings.reference.losses log_sigmoid", "log_sigmoid(z)"),
            ("log_sigmoid(z)", "torch.nn.functional logsigmoid",
             "logsigmoid(__import__('torch').tensor(z)).numpy()"),
            ("sgns_loss(*given)", "seqlab.embeddings.reference.losses skipgram_negative_loss",
             "skipgram_negative_loss(*given)[0]"),
            ("sgns_gradients(*given)", "seqlab.embeddings.reference.losses skipgram_negative_loss", """
                [got := skipgram_negative_loss(*given)[1],
                 (got["E"], got["O"]) if isinstance(got, dict) else tuple(got)][-1]"""),
        ],
        "tree": [
            ("huffman(counts)", "seqlab.embeddings.reference huffman", """
                [t := huffman(counts), [[(int(n), int(b)) for n, b in zip(t.nodes[w], t.bits[w]) if n >= 0]
                 for w in range(len(counts))]][-1]"""),
        ],
        "glove": [
            ("glove_weight(x, x_max=100.0, alpha=0.75)", "seqlab.embeddings.reference glove_weight",
             "glove_weight(x, x_max, alpha)"),
            ("adagrad(w, g, total, rate)", "seqlab.embeddings.reference.glove adagrad_step",
             "adagrad_step(w, g, total, rate)"),
            ("glove(W, U, b, c, rows, columns, x, x_max=100.0, alpha=0.75)",
             "seqlab.embeddings.reference.glove glove_loss", """
                glove_loss(W, U, b, c, rows, columns, x, x_max, alpha)"""),
        ],
        "fused": [
            ("sgns_step(E, O, centre, contexts, negatives, rate)", "seqlab.embeddings.steps sgns_step", """
                [torch := __import__("torch"), t := [torch.tensor(a) for a in (E, O)],
                 loss := sgns_step(*t, *(torch.tensor(a)[None] for a in (centre, contexts, negatives)), rate),
                 (t[0].numpy(), t[1].numpy(), float(loss))][-1]"""),
        ],
        "cost": [
            ("sgns_bytes(W, C, K, D, shared=True, itemsize=4)", "seqlab.embeddings.cost sgns_cost",
             "sgns_cost(W, C, K, D, shared).bytes"),
        ],
    },
    "07_t_sne": {
        "affinities": [
            ("squared_distances(X)", "seqlab.tsne.reference squared_distances", "squared_distances(X)"),
            ("squared_distances(X)", "torch cdist tensor", "(cdist(tensor(X), tensor(X)) ** 2).numpy()"),
            ("squared_distances(X)", "sklearn.metrics.pairwise euclidean_distances",
             "euclidean_distances(X, squared=True)"),
            ("conditional(squared, beta)", "seqlab.tsne.reference gaussian_row", """
                [P := np.zeros(squared.shape), [P.__setitem__((i, np.arange(len(P)) != i),
                 gaussian_row(np.delete(squared[i].astype(float), i), beta[i])) for i in range(len(P))], P][-1]"""),
        ],
        "perplexity": [
            ("perplexity(p)", "seqlab.tsne.reference entropy", "float(np.exp(entropy(p)))"),
            ("perplexity(p)", "scipy.stats entropy", "float(np.exp(entropy(p)))"),
            ("find_beta(squared, target)", "seqlab.tsne.reference search_precision", """
                float(np.ravel(search_precision(squared, target, 1e-12)[0]
                if isinstance(search_precision(squared, target, 1e-12), tuple)
                else search_precision(squared, target, 1e-12))[0])"""),
        ],
        "joint": [
            ("joint(P)", "seqlab.tsne.reference joint_probabilities", "joint_probabilities(P)"),
            ("student(Y)", "seqlab.tsne.reference student_affinities", "student_affinities(Y)"),
        ],
        "kl": [
            ("kl(P, Q)", "scipy.stats entropy", "float(entropy(P.ravel(), Q.ravel()))"),
            ("kl(P, Q)", "torch.nn.functional kl_div", """
                [t := __import__("torch").tensor, float(kl_div(t(np.where(Q > 0, np.log(np.where(Q > 0, Q, 1)), 0)),
                 t(P), reduction="sum"))][-1]"""),
        ],
        "gradient": [
            ("gradient(P, Y)", "seqlab.tsne.reference kl_gradient", "kl_gradient(P, Y)"),
            ("gradient(P, Y)", "sklearn.manifold._t_sne _kl_divergence", """
                [n := len(Y), i := np.triu_indices(n, 1),
                 _kl_divergence(Y.ravel(), P[np.tril_indices(n, -1)[::-1]] if 0 else P[i], 1, n, Y.shape[1])[1]
                 .reshape(Y.shape)][-1]"""),
        ],
        "update": [
            ("update(Y, dY, v, gains, rate, momentum)", "seqlab.tsne.reference update",
             "update(Y, dY, v, gains, rate, momentum)"),
        ],
        "tiles": [
            ("repulsion(Y, tile)", "seqlab.tsne.functional repulsion", """
                [got := repulsion(__import__("torch").tensor(Y)), (np.asarray(got[0]), float(got[1]))][-1]"""),
        ],
    },
    "08_translation_beam_and_bleu": {
        "logs": [
            ("log_softmax(z)", "seqlab.decode.reference log_softmax",
             "np.array([log_softmax(row) for row in z.reshape(-1, z.shape[-1])]).reshape(z.shape)"),
            ("log_softmax(z)", "seqlab.attention.reference masked_softmax", "np.log(masked_softmax(z))"),
            ("log_softmax(z)", "seqlab.lm.reference softmax", "np.log(softmax(z))"),
            ("log_softmax(z)", "seqlab.lm.reference cross_entropy", """
                [rows := z.reshape(-1, z.shape[-1]), -np.stack([cross_entropy(rows, np.full(len(rows), k))[0]
                 for k in range(z.shape[-1])], -1).reshape(z.shape)][-1]"""),
            ("log_softmax(z)", "torch log_softmax tensor", "log_softmax(tensor(z), -1).numpy()"),
            ("log_softmax(z)", "scipy.special log_softmax", "log_softmax(z, axis=-1)"),
            ("log_softmax(z)", "sklearn.utils.extmath softmax",
             "np.log(softmax(z.reshape(-1, z.shape[-1]).copy()).reshape(z.shape))"),
        ],
        "greedy": [
            ("greedy(step, state, bos, eos, max_len)", "seqlab.decode.reference greedy", """
                [h := greedy(lambda token, s: [made := step(int(token[0]), s), (made[0][None], made[1])][-1], state,
                bos, eos,
                 max_len),
                 (list(map(int, h.tokens)), float(h.score))][-1]"""),
        ],
        "search": [
            ("beam_search(step, state, bos, eos, width, max_len, alpha=0.0)", "seqlab.decode.reference beam_search", """
                (lambda found: [(list(map(int, h.tokens)), float(h.score)) for h in found])(beam_search(
                 lambda token, s: [made := step(int(token[0]), s), (made[0][None], made[1])][-1],
                 state, bos, eos, width, max_len, alpha, n_best=width * max_len))"""),
        ],
        "blame": [
            ("blame(log_p_star, n_star, log_p_hat, n_hat, alpha=0.0)", "seqlab.decode.reference blame",
             "blame(log_p_star / n_star**alpha, log_p_hat / n_hat**alpha)"),
        ],
        "clipped": [
            ("ngram_counts(words, n)", "seqlab.decode.bleu ngrams", "dict(ngrams(words, n))"),
            ("clipped_matches(output, references, n)", "seqlab.decode.bleu clipped_counts", """
                [c := clipped_counts(output, references, n).values(), (sum(m for _, m in c), sum(t for t,
                _ in c))][-1]"""),
        ],
        "bleu": [
            ("closest_length(c, lengths)", "seqlab.decode.bleu closest_length", "int(closest_length(c, lengths))"),
            ("corpus_bleu(matches, totals, c, r)", "seqlab.decode.bleu bleu_of_statistics",
             "float(bleu_of_statistics(np.concatenate([c[:, None], r[:, None], matches, totals], 1)).score)"),
            ("corpus_bleu(matches, totals, c, r)", "sacrebleu.metrics.bleu BLEU", """
                BLEU.compute_bleu(matches.sum(0).tolist(), totals.sum(0).tolist(), int(c.sum()), int(r.sum()),
                smooth_method="none", max_ngram_order=matches.shape[1]).score / 100"""),
        ],
    },
    "09_attention": {
        "softmax": [
            ("masked_softmax(scores, mask)", "seqlab.attention.reference masked_softmax",
             "masked_softmax(scores, mask)"),
            ("masked_softmax(scores, mask)", "seqlab.lm.reference softmax",
             "softmax(np.where(mask, scores, -np.inf))"),
            ("masked_softmax(scores, mask)", "seqlab.decode.reference log_softmax", """
                [s := np.where(mask, scores, -np.inf), np.exp(np.array([log_softmax(row) for row in
                 s.reshape(-1, s.shape[-1])]).reshape(s.shape))][-1]"""),
            ("masked_softmax(scores, mask)", "scipy.special softmax",
             "softmax(np.where(mask, scores, -np.inf), axis=-1)"),
            ("masked_softmax(scores, mask)", "sklearn.utils.extmath softmax", """
                [s := np.where(mask, scores, -np.inf), softmax(s.reshape(-1, s.shape[-1])).reshape(s.shape)][-1]"""),
            ("masked_softmax(scores, mask)", "torch softmax tensor",
             "np.nan_to_num(softmax(tensor(np.where(mask, scores, -np.inf)), -1).numpy())"),
        ],
        "dot": [
            ("attention_weight(hs, h)", "seqlab.attention.reference attention_weight", """
                (lambda made: made[0] if isinstance(made, tuple) else made)(attention_weight(hs, h))"""),
            ("weighted_sum(hs, a)", "seqlab.attention.reference weighted_sum", "weighted_sum(hs, a)"),
        ],
        "gradient": [
            ("attention_backward(dc, hs, h, a)",
             "seqlab.attention.reference weighted_sum_backward attention_weight_backward", """
                [one := weighted_sum_backward(dc, hs, a), two := attention_weight_backward(one["a"], hs, h, a),
                 (one["hs"] + two["hs"], two["h"])][-1]"""),
        ],
        "bahdanau": [
            ("additive_attention(s, hs, W_q, W_k, v, lengths)",
             "seqlab.attention.reference additive_score attention_forward", """
                [e := additive_score(s, hs, W_q, W_k, v),
                 m := (np.arange(hs.shape[1]) < np.asarray(lengths)[:, None, None]) & np.ones(e.shape, bool),
                 got := attention_forward(e, hs, m), (got[0], got[1])][-1]"""),
        ],
        "scaled": [
            ("scaled_attention(Q, K, V, causal=False)", "torch.nn.functional scaled_dot_product_attention", """
                [t := __import__("torch").tensor, (scaled_dot_product_attention(t(Q), t(K), t(V),
                 is_causal=causal).numpy(), scaled_dot_product_attention(t(Q), t(K),
                 t(np.broadcast_to(np.eye(K.shape[-2]), (*K.shape[:-2], K.shape[-2], K.shape[-2])).copy()),
                 is_causal=causal).numpy())][-1]"""),
            ("scaled_attention(Q, K, V, causal=False)",
             "seqlab.attention.reference scaled_dot_score attention_forward", """
                [e := scaled_dot_score(Q, K), attention_forward(e, V,
                 np.tri(*e.shape[-2:], dtype=bool) & np.ones(e.shape, bool) if causal else None)[:2]][-1]"""),
        ],
        "heads": [
            ("split_heads(x, heads)", "seqlab.attention.reference.multihead split_heads",
             "split_heads(x, heads).reshape(len(x), heads, x.shape[1], -1)"),
            ("self_attention(X, W_q, W_k, W_v, W_o, heads)",
             "seqlab.attention.reference.multihead multihead_forward", """
                multihead_forward(X, X, X, np.concatenate([W_q, W_k, W_v]), np.zeros(3 * len(W_q)), W_o,
                np.zeros(len(W_o)), heads)[0]"""),
        ],
        "online": [
            ("tiled_attention(Q, K, V, mask, tile)", "seqlab.attention.reference flash_forward", """
                flash_forward(Q[None], K[None], V[None], tile, mask=np.broadcast_to(mask, (1, len(Q), len(K))),
                scale=1.0)
                if 0 else tuple(part[0] for part in flash_forward(Q[None], K[None], V[None], tile,
                mask=np.broadcast_to(mask, (1, len(Q), len(K))), scale=1.0)[:2])"""),
        ],
    },
    "10_ctc": {
        "collapse": [
            ("collapse(path, blank=0)", "seqlab.ctc.reference collapse", "list(map(int, collapse(path, blank)))"),
            ("frames_needed(target)", "seqlab.ctc.reference.lattice frames_needed", "int(frames_needed(target))"),
        ],
        "states": [
            ("extend(target, blank=0)", "seqlab.ctc.reference.lattice extend",
             "[int(s) for s in extend(target, blank)]"),
            ("may_skip(states, blank=0)", "seqlab.ctc.reference.lattice before",
             "[bool(s - 2 in list(before(list(states), s))) for s in range(len(states))]"),
        ],
        "forward": [
            ("forward(log_probs, states, skip)", "seqlab.ctc.reference.lattice ctc_forward",
             "ctc_forward(log_probs, [int(s) for s in states[1::2]], int(states[0]))"),
        ],
        "backward": [
            ("backward(log_probs, states, skip)", "seqlab.ctc.reference.lattice ctc_backward",
             "ctc_backward(log_probs, [int(s) for s in states[1::2]], int(states[0]), includes=False)"),
        ],
        "gradient": [
            ("ctc_loss(log_alpha)", "seqlab.ctc.reference.lattice log_likelihood", "float(-log_likelihood(log_alpha))"),
            ("ctc_loss(log_alpha)", "scipy.special logsumexp", "float(-logsumexp(log_alpha[-1, -2:]))"),
            ("occupancies(log_alpha, log_beta)", "scipy.special softmax", "softmax(log_alpha + log_beta, axis=1)"),
            ("occupancies(log_alpha, log_beta)", "torch softmax tensor",
             "softmax(tensor(log_alpha + log_beta), 1).numpy()"),
        ],
        "greedy": [
            ("greedy_decode(log_probs, blank=0)", "seqlab.ctc.reference spans", """
                [(int(a), int(b), int(c)) for a, b, c in spans(log_probs.argmax(axis=1), blank)]"""),
        ],
        "beam": [
            ("prefix_beam(log_probs, width, lm=None, blank=0)", "seqlab.ctc.reference.decoding beam_decode", """
                [(tuple(map(int, h.labels)), float(h.score)) for h in beam_decode(log_probs, width, blank,
                n_best=width)]
                if lm is None else 1 / 0"""),
        ],
    },
    "11_trigger_words": {
        "frames": [
            ("frames(x, size, hop)", "seqlab.audio.reference frames", "frames(x, size, hop)"),
            ("frames(x, size, hop)", "torch tensor", "tensor(x).unfold(0, size, hop).numpy()"),
            ("hann(size)", "seqlab.audio.reference.spectral hann", "hann(size)"),
            ("hann(size)", "torch hann_window", "hann_window(size, dtype=__import__('torch').float64).numpy()"),
            ("hann(size)", "scipy.signal.windows hann", "hann(size, sym=False)"),
        ],
        "mel": [
            ("hz_to_mel(f)", "seqlab.audio.reference.spectral hz_to_mel", "hz_to_mel(f)"),
            ("mel_to_hz(m)", "seqlab.audio.reference.spectral mel_to_hz", "mel_to_hz(m)"),
            ("mel_filters(M, size, rate)", "seqlab.audio.reference.spectral mel_filters", "mel_filters(M, size, rate)"),
        ],
        "overlap": [
            ("overlaps(segment, placed)", "seqlab.audio.reference.examples overlaps", "overlaps(segment, placed)"),
        ],
        "overlay": [
            ("overlay(background, clip, start, gain=1.0)", "seqlab.audio.reference.examples overlay",
             "overlay(background, clip, start, gain)"),
        ],
        "labels": [
            ("labels_after(Ty, ends, width)", "seqlab.audio.reference.examples labels_after",
             "labels_after(Ty, ends, width)"),
        ],
        "loss": [
            ("trigger_loss(z, y, weight)", "seqlab.audio.reference.detection trigger_loss",
             "trigger_loss(z.reshape(1, -1), y.reshape(1, -1).astype(float), weight)[0], "
             "trigger_loss(z.reshape(1, -1), y.reshape(1, -1).astype(float), weight)[1].reshape(z.shape)"),
            ("trigger_loss(z, y, weight)", "torch.nn.functional binary_cross_entropy_with_logits", """
                [torch := __import__("torch"), t := torch.tensor(z, requires_grad=True),
                 L := binary_cross_entropy_with_logits(t, torch.tensor(y).double(),
                 pos_weight=torch.tensor(float(weight))),
                 L.backward(), (float(L.detach()), t.grad.numpy())][-1]"""),
        ],
        "stream": [
            ("causal_conv(x, W, b)", "torch.nn.functional conv1d", """
                [t := __import__("torch").tensor, K := W.shape[1],
                 conv1d(t(np.concatenate([np.zeros((K - 1, x.shape[1])), x]).T[None].copy()),
                 t(W[:, ::-1].transpose(0, 2, 1).copy()), t(b))[0].numpy().T][-1]"""),
            ("causal_conv(x, W, b)", "seqlab.seq2seq.vision convolution", """
                [K := W.shape[1], M := x.shape[1], k := 2 * K - 1,
                 F := np.zeros((len(b), M, k, k)),
                 F.__setitem__((slice(None), slice(None), slice(0, K), K - 1), W[:, ::-1].transpose(0, 2, 1)),
                 convolution(x.T[None, :, :, None].copy(), F, b)[0, :, :, 0].T][-1]"""),
        ],
        "detect": [
            ("detect(probabilities, threshold, quiet)", "seqlab.audio.reference.detection detect",
             "[int(t) for t in detect(np.asarray(probabilities, dtype=float), threshold, quiet)]"),
        ],
        "score": [
            ("match(detections, truths, tolerance)", "seqlab.audio.reference.detection match", """
                [m := match(detections, truths, tolerance), (len(m.hits), len(m.misses), len(m.false_alarms))][-1]"""),
        ],
    },
    "12_write_a_kernel": {},
}  # fmt: skip
