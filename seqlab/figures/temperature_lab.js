// One distribution: temperature sharpens or flattens it, top-k and nucleus cut its tail off, and the reader draws.

// From slider to temperature: the leftmost place is 0, then 20 places a power of ten; place 0 is T = 1.
export const heatOf = (place) => (place <= -21 ? 0 : 10 ** (place / 20));

// As seqlab.lm.reference: p before, at temperature T, and after only the k likeliest and then the nucleus stay.
export const shape = ({ scores, T, k, mass }) => {
  const before = softmax(scores), top = scores.indexOf(Math.max(...scores));
  const warm = T === 0 ? scores.map((_, i) => +(i === top)) : softmax(scores.map((s) => s / T));
  const keep = (p, rule) => {
    const order = range(p.length).sort((a, b) => p[b] - p[a] || a - b), stays = Array(p.length).fill(false);
    let sofar = 0;
    order.forEach((i, place) => { stays[i] = rule(place, sofar); sofar += p[i]; });
    const total = sum(p.filter((_, i) => stays[i]));
    return p.map((x, i) => (stays[i] ? x / total : 0));
  };
  const few = keep(warm, (place) => place < k), after = keep(few, (_, sofar) => sofar < mass);
  return { before, warm, after };
};
export const entropy = (p) => -sum(p.map((x) => (x > 0 ? x * Math.log(x) : 0)));

// How often each word comes in n draws. The same seed gives the same words (the generator is mulberry32).
export const tally = (p, n, seed) => {
  const counts = p.map(() => 0), last = p.reduce((best, x, i) => (x > 0 ? i : best), 0);
  let a = seed >>> 0, id = null;
  for (const _ of range(n)) {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    let u = ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    id = p.findIndex((x) => (u -= x) < 0);
    if (id < 0) id = last;
    counts[id] += 1;
  }
  return { counts, id };
};

export default {
  render({ model, el }) {
    const words = model.get("words"), scores = model.get("scores"), V = words.length, context = model.get("context");
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const reset = (name) => (value) => { model.set("drawn", 0); set(name, value); };
    const show = (place) => text(heatOf(place), heatOf(place) < 0.995 ? 2 : 1);
    const heat = slider({ label: "temperature", min: -21, max: 12, step: 1, value: model.get("heat"), show, change: reset("heat") });
    const k = slider({ label: "top-k", min: 1, max: V, step: 1, value: model.get("k"), show: (x) => (x === V ? "all" : text(x, 0)), change: reset("k") });
    const mass = slider({ label: "nucleus mass", min: 0.05, max: 1, step: 0.05, value: model.get("mass"), show: (x) => (x === 1 ? "all" : text(x)), change: reset("mass") });
    const seed = numberBox({ label: "seed", step: 1, value: model.get("seed"), change: (x) => set("seed", Math.trunc(x)) });
    const more = (n) => () => set("drawn", model.get("drawn") + n);
    const one = button("Draw a word", more(1), { class: "main" }), many = button("Draw 100", more(100)), none = button("Empty", () => set("drawn", 0));
    const says = html("output", { class: "says" }), drawn = html("output", { class: "quiet" });

    const lines = words.map((word) => {
      const bars = html("td", { class: "twin" }, html("i"), html("i")), [was, is, times] = range(3).map(() => html("td"));
      return { was, is, times, bars, row: html("tr", {}, html("th", { scope: "row" }, word), bars, was, is, times) };
    });
    const head = ["word", "", "before", "after", "drawn"].map((name) => (name ? html("th", { scope: "col" }, name) : html("td", { class: "twin" })));
    const shares = html("table", { class: "heat" }, html("caption", {}, context ? `What follows “${context}”` : "The distribution"),
      html("thead", {}, html("tr", {}, head)), html("tbody", {}, lines.map(({ row }) => row)));

    const draw = () => {
      const T = heatOf(model.get("heat")), n = model.get("drawn"), kept = model.get("mass"), start = model.get("seed");
      const { before, after } = shape({ scores, T, k: model.get("k"), mass: kept }), { counts, id } = tally(after, n, start);
      const longest = Math.max(...before, ...after), left = after.filter((p) => p > 0).length;
      heat.value = model.get("heat");
      lines.forEach(({ row, was, is, times, bars }, i) => {
        row.classList.toggle("out", after[i] === 0);
        row.toggleAttribute("data-now", n > 0 && i === id);
        was.replaceChildren(number(before[i], percent));
        is.replaceChildren(after[i] === 0 ? "cut" : number(after[i], percent));
        times.replaceChildren(n ? number(counts[i], (x) => text(x, 0)) : "");
        [before[i], after[i]].forEach((p, j) => bars.children[j].style.setProperty("--p", p / longest));
      });
      none.disabled = n === 0;
      const [h0, h1] = [entropy(before), entropy(after)], most = words[after.indexOf(Math.max(...after))];
      const what = T === 0 ? `At temperature 0 the choice is greedy: always “${most}”.`
        : left === 1 ? `Only “${most}” is left: every draw gives it.`
        : T < 0.995 ? "Below 1 the likely words take from the rare ones." : T > 1.005 ? "Above 1 the rare words get a part of what the likely ones had." : "At temperature 1 the ratios stay as they are.";
      says.replaceChildren(what, kept < 1 ? ` The likeliest words that together reach ${text(kept)}: ${left}.` : left < V && left > 1 ? ` ${left} of ${V} words can be drawn.` : "", " Entropy ", number(h0), " nats before, ", number(h1),
        " after: as open as a fair choice among ", number(Math.exp(h1), (x) => text(x, 1)), Math.exp(h1) < 1.05 ? " word." : " words.");
      drawn.replaceChildren(n ? `${n} drawn with seed ${start}; the last is “${words[id]}”.` : `Nothing drawn yet with seed ${start}.`);
    };

    el.append(heat, k, mass, says, scroll("The distribution, before and after", shares), html("div", { class: "together" }, one, many, none, seed, drawn));
    model.on("change:heat change:k change:mass change:seed change:drawn", draw);
    draw();
  },
};
