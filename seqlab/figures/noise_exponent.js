// The noise of negative sampling: counts to a power, from all words alike (0) to the text itself (1), and draws from it.

// f(w)^power / sum, as seqlab.embeddings.reference.noise_distribution.
export const noise = (counts, power) => {
  const raised = counts.map((n) => n ** power), total = sum(raised);
  return raised.map((x) => x / total);
};

// k negatives for each of `rounds` pairs, whose true neighbours are targets[0], targets[1], ... in turn. A draw that is
// the true neighbour is drawn again. The same seed gives the same words (the generator is mulberry32).
export const negatives = (p, k, rounds, targets, seed) => {
  const ends = [], counts = p.map(() => 0);
  let a = seed >>> 0, total = 0, again = 0, last = [];
  for (const x of p) ends.push((total += x));
  const draw = () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    const u = (total * ((t ^ (t >>> 14)) >>> 0)) / 4294967296;
    let [low, high] = [0, p.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle] > u) high = middle; else low = middle + 1;
    }
    return low;
  };
  for (const round of range(rounds)) {
    const target = targets.length ? targets[round % targets.length] : -1;
    last = range(k).map(() => {
      let id = draw();
      for (; id === target && p[id] < 1; again += 1) id = draw();
      counts[id] += 1;
      return id;
    });
  }
  return { counts, last, again };
};

// a share with two digits below 1 %, three below 0.1 ‰: 0.00059 -> "0.06 %"
const share = (p) => (p < 0.0000995 ? `${text(100 * p, 3)}\u00a0%` : p < 0.00995 ? `${text(100 * p)}\u00a0%` : percent(p));
// a ratio: 0.52, 3.4, 27
const times = (x) => text(x, x < 1 ? 2 : x < 9.95 ? 1 : 0);

export default {
  render({ model, el }) {
    const words = model.get("words"), counts = model.get("counts"), rows = model.get("rows"), total = sum(counts);
    const { sentence, centre } = model.get("window"), around = range(sentence.length).filter((t) => t !== centre);
    const targets = around.map((t) => words.indexOf(sentence[t])), f = counts.map((n) => n / total);
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const reset = (name) => (value) => { model.set("rounds", 0); set(name, value); };
    const power = slider({ label: "exponent", min: 0, max: 1, step: 0.05, value: model.get("power"), change: reset("power") });
    const marks = [[0, "0: all alike"], [0.75, "0.75: word2vec"], [1, "1: the text"]].map(([x, name]) => [x, button(name, () => reset("power")(x))]);
    const k = slider({ label: "negatives k", min: 1, max: 20, step: 1, value: model.get("k"), show: (x) => text(x, 0), change: reset("k") });
    const seed = numberBox({ label: "seed", step: 1, value: model.get("seed"), change: (x) => reset("seed")(Math.trunc(x)) });
    const more = (n) => () => set("rounds", model.get("rounds") + n);
    const one = button("", more(1), { class: "main" }), many = button(sentence.length ? "For 1,000 more pairs" : "1,000 times more", more(1000));
    const none = button("Empty", () => set("rounds", 0));
    const says = html("output", { class: "says" }), pair = html("p", { class: "spoken" }), chips = html("ul", { class: "chips", "aria-label": "The negatives" }), drawn = html("output", { class: "quiet" });

    const lines = rows.map((id) => {
      const bars = html("td", { class: "twin", style: "min-width:3rem" }, html("i"), html("i")), [is, ratio, came] = range(3).map(() => html("td"));
      const row = html("tr", {}, html("th", { scope: "row" }, words[id]), bars, html("td", {}, number(f[id], share)), is, ratio, came);
      return { id, row, bars, is, ratio, came };
    });
    const head = ["word", "", "text", "noise", "ratio", "drawn"].map((name) => (name ? html("th", { scope: "col" }, name) : html("td", { class: "twin", style: "min-width:3rem" })));
    const shares = html("table", { class: "heat" }, html("caption", {}, rows.length < words.length ? `${rows.length} of ${words.length.toLocaleString("en")} words: grey, their share of the text; blue, of the noise` : "Grey: share of the text; blue: share of the noise"),
      html("thead", {}, html("tr", {}, head)), html("tbody", {}, lines.map(({ row }) => row)));

    // every word by its rank, on logarithmic axes
    const [W, H, L, B] = [340, 170, 52, 30], plot = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", style: "max-width:30rem" });
    const ranked = range(words.length).sort((i, j) => counts[j] - counts[i] || i - j), N = ranked.length;
    const top = Math.ceil(Math.log10(f[ranked[0]])), bottom = Math.min(Math.floor(Math.log10(f[ranked[N - 1]])), top - 1);
    const x = (rank) => L + ((W - L - 6) * Math.log(rank)) / Math.log(Math.max(N, 2)), y = (p) => 8 + ((H - 8 - B) * (top - Math.log10(p))) / (top - bottom);
    const curve = (p, attributes) => svg("polyline", { points: ranked.map((id, r) => `${x(r + 1).toFixed(1)},${y(p[id]).toFixed(1)}`).join(" "), fill: "none", ...attributes });
    const ticks = range(top - bottom + 1).map((n) => top - n).flatMap((n) => [svg("line", { class: "tick", x1: L, x2: W - 6, y1: y(10 ** n), y2: y(10 ** n) }), svg("text", { x: L - 5, y: y(10 ** n) + 4, "text-anchor": "end" }, `${n > -3 ? 100 * 10 ** n : (100 * 10 ** n).toFixed(-n - 2)}\u00a0%`)]);
    const ranks = [...new Set([1, ...range(5).map((n) => 10 ** (n + 1)).filter((n) => n < N / 2), N])].map((n) => svg("text", { x: x(n), y: H - 14, "text-anchor": n === 1 ? "start" : n === N ? "end" : "middle" }, n));

    const draw = () => {
      const a = model.get("power"), p = noise(counts, a), rounds = model.get("rounds"), many_ = model.get("k"), start = model.get("seed");
      const { counts: came, last, again } = negatives(p, many_, rounds, targets, start), whole = rounds * many_;
      const longest = Math.max(...rows.map((id) => Math.max(p[id], f[id])));
      power.value = a;
      marks.forEach(([at, mark]) => { mark.disabled = Math.abs(at - a) < 1e-9; });
      lines.forEach(({ id, row, bars, is, ratio, came: cell }) => {
        is.replaceChildren(number(p[id], share));
        ratio.replaceChildren(number(p[id] / f[id], times));
        cell.replaceChildren(whole ? number(came[id], (n) => text(n, 0)) : "");
        [f[id], p[id]].forEach((part, j) => bars.children[j].style.setProperty("--p", part / longest));
        row.toggleAttribute("data-now", last.includes(id));
      });
      plot.replaceChildren(...ticks, ...ranks, svg("text", { x: (L + W) / 2, y: H - 1, "text-anchor": "middle" }, "rank of the word"),
        curve(f, { stroke: "currentColor", "stroke-opacity": 0.55, "stroke-width": 1.5 }), curve(noise(counts, 0.75), { stroke: "var(--orange)", "stroke-width": 1.5, "stroke-dasharray": "5 4" }),
        curve(p, { stroke: "var(--blue)", "stroke-width": 2.5 }));
      const [first, rare] = [ranked[0], ranked[N - 1]], r = [first, rare].map((id) => p[id] / f[id]);
      plot.ariaLabel = `Share of each of ${N} words against its rank, both on logarithmic axes: the text falls from ${share(f[first])} to ${share(f[rare])}, the noise at exponent ${text(a)} from ${share(p[first])} to ${share(p[rare])}.`;
      says.replaceChildren(`“${words[first]}” is `, number(f[first], share), " of the text and ", number(p[first], share), " of the negatives: ", number(r[0], times), " times its share. “",
        words[rare], "” is ", number(f[rare], share), " of the text and ", number(p[rare], share), " of the negatives: ", number(r[1], times), " times. ",
        a < 0.025 ? "At 0 every word is equally likely, however rare." : a > 0.975 ? "At 1 the negatives come as often as in the text." : "Rare words gain what frequent ones lose.");
      one.textContent = `Draw ${many_} negative${many_ > 1 ? "s" : ""}`;
      none.disabled = rounds === 0;
      const here = around.length ? around[(rounds ? rounds - 1 : 0) % around.length] : -1;
      pair.replaceChildren(...sentence.flatMap((word, t) => [t === centre ? html("mark", {}, word) : t === here ? html("b", { class: "true" }, word) : word, " "]));
      const seen = [...new Set(last)];
      chips.replaceChildren(...seen.map((id) => {
        const n = last.filter((other) => other === id).length;
        return html("li", {}, words[id], n > 1 ? html("small", {}, ` ×${n}`) : null);
      }));
      chips.hidden = !seen.length;
      const true_ = here < 0 ? "" : ` for the pair ${sentence[centre]} → ${sentence[here]}`;
      drawn.replaceChildren(rounds ? `${whole.toLocaleString("en")} drawn with seed ${start}; above, the last ${many_}${true_}.${seen.length < last.length ? " A word that comes twice counts twice." : ""}${again ? ` ${again.toLocaleString("en")} draw${again > 1 ? "s were" : " was"} the true neighbour and drawn again.` : ""}`
        : `Nothing drawn yet${true_}.`);
    };

    el.append(power, html("div", { class: "together" }, marks.map(([, mark]) => mark)), says,
      html("div", { class: "sides" }, scroll("Shares of the text and of the noise", shares), html("div", { class: "stack" }, plot, html("p", { class: "quiet" }, "Grey: the text. Blue: the noise. Dashed orange: the noise at 0.75. Both axes are logarithmic."))),
      k, sentence.length ? pair : null, html("div", { class: "together" }, one, many, none, seed), chips, drawn);
    model.on("change:power change:k change:seed change:rounds", draw);
    draw();
  },
};
