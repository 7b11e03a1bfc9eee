// A window slides over a text: every pair of words inside it adds to one cell of the co-occurrence matrix.

const plain = (x) => text(x, Number.isInteger(x) ? 0 : 2);
const MOST = { different: 16, words: 60, window: 6 };

// A typed text as sentences of small-letter words; . ! ? end a sentence.
export const split = (typed) => typed.toLowerCase().split(/[.!?]+/)
  .map((part) => part.match(/[\p{L}\p{M}\p{N}'’-]+/gu) ?? []).filter((words) => words.length);

// The pairs in the order in which the window meets them: sentence s, centre at t, context word at u, what it counts.
export const pairs = (sentences, window, weighting) => sentences.flatMap((words, s) => words.flatMap((_, t) =>
  range(words.length).filter((u) => u !== t && Math.abs(u - t) <= window)
    .map((u) => ({ s, t, u, weight: weighting === "harmonic" ? 1 / Math.abs(u - t) : 1 }))));

// The different words in the order of their first coming, and the matrix after the first `step` pairs.
export const count = (sentences, window, weighting, step) => {
  const words = [...new Set(sentences.flat())], X = words.map(() => words.map(() => 0));
  pairs(sentences, window, weighting).slice(0, step).forEach(({ s, t, u, weight }) => {
    X[words.indexOf(sentences[s][t])][words.indexOf(sentences[s][u])] += weight;
  });
  return { words, X };
};

// PMI of one cell from what was counted, -Infinity where nothing was; PPMI is its positive part.
export const pmi = (X, i, j) => {
  const total = sum(X.flat()), row = sum(X[i]), column = sum(X.map((line) => line[j]));
  return X[i][j] > 0 ? Math.log((X[i][j] * total) / (row * column)) : -Infinity;
};
export const ppmi = (X) => X.map((row, i) => row.map((_, j) => Math.max(0, pmi(X, i, j))));

// The two rows with the largest cosine, the first of equals.
export const alike = (X) => {
  let best = null;
  range(X.length).forEach((i) => range(i).forEach((j) => {
    const lengths = norm(X[i]) * norm(X[j]), cosine = lengths > 0 ? dot(X[i], X[j]) / lengths : 0;
    if (cosine > (best?.cosine ?? 0) + 1e-9) best = { i: j, j: i, cosine };
  }));
  return best;
};

// What is wrong with sentences that cannot be shown, or nothing.
const refused = (sentences) => {
  const all = sentences.flat(), different = new Set(all).size;
  if (!sentences.some((words) => words.length > 1)) return "Type at least two words.";
  if (different > MOST.different) return `These are ${different} different words; the matrix has room for ${MOST.different}.`;
  return all.length > MOST.words ? `These are ${all.length} words; the figure takes ${MOST.words}.` : "";
};

export default {
  render({ model, el }) {
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const met = () => pairs(model.get("sentences"), model.get("window"), model.get("weighting"));
    const go = (step) => { model.set("cell", null); set("step", clamp(step, 0, met().length)); };
    const calm = matchMedia("(prefers-reduced-motion: reduce)");

    // where the word being read ends: the steps after which all pairs of a centre are counted
    const ends = () => { const all = met(); return range(all.length + 1).filter((n) => n === all.length || (n > 0 && (all[n].s !== all[n - 1].s || all[n].t !== all[n - 1].t))); };
    let timer = null;
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
    const tick = () => { if (!el.isConnected || model.get("step") >= met().length) stop(); else go(model.get("step") + 1); };
    const by = (step) => () => { stop(); go(step()); };

    const typed = html("input", { type: "text", value: model.get("text"), maxlength: 300, autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
    const problem = html("output", { class: "quiet problem" });
    typed.addEventListener("input", () => {
      const sentences = split(typed.value), wrong = refused(sentences);
      typed.toggleAttribute("aria-invalid", Boolean(wrong));
      problem.textContent = wrong && `${wrong} The last text that fits stays below.`;
      if (wrong) return;
      stop();
      model.set("text", typed.value);
      model.set("cell", null);
      model.set("step", 0);
      set("sentences", sentences);
    });

    const next = button("Next pair", by(() => model.get("step") + 1), { class: "main" });
    const word = button("Next word", by(() => ends().find((n) => n > model.get("step")) ?? met().length));
    const back = button("Back", by(() => model.get("step") - 1));
    const none = button("Start again", by(() => 0)), all = button("To the end", by(() => met().length));
    const play = button("Play", () => {
      if (timer) { stop(); return; }
      if (model.get("step") >= met().length) go(0);
      play.textContent = "Pause";
      timer = setInterval(tick, 450);
      tick();
    });
    play.hidden = calm.matches; // who asks for less motion steps by hand
    const position = slider({ label: "pairs counted", min: 0, max: 1, step: 1, value: 0, show: (n) => `${n}`, change: (n) => { stop(); go(n); } });
    // a new window keeps the word that is read
    const rewind = (name) => (value) => {
      stop();
      const old = met()[model.get("step") - 1], whole = model.get("step") === met().length;
      model.set("cell", null);
      model.set(name, value);
      const now = met(), last = old ? now.findLastIndex(({ s, t }) => s < old.s || (s === old.s && t <= old.t)) + 1 : 0;
      set("step", whole ? now.length : last);
    };
    const width = slider({ label: "window", min: 1, max: MOST.window, step: 1, value: model.get("window"), show: (n) => `±${n}`, change: rewind("window") });
    const weighting = choice({ label: "Weight", value: model.get("weighting"), options: [["flat", "flat: 1"], ["harmonic", "1 / distance"]], change: (name) => set("weighting", name) });
    const show = choice({ label: "Show", value: model.get("show"), options: [["counts", "counts"], ["ppmi", "PPMI"]], change: (name) => set("show", name) });

    const line = html("p", { class: "spoken window" }), says = html("output", { class: "says" }), frame = html("div");
    const formula = html("p", { class: "quiet" }), likeness = html("p", { class: "quiet" });
    let cells = [], heads = [], sides = [], words = [];

    const build = () => {
      words = count(model.get("sentences"), 1, "flat", 0).words;
      cells = words.map((_, i) => words.map((__, j) => html("td", { class: "square", "data-place": `${i},${j}` })));
      heads = words.map((one) => html("th", { scope: "col" }, html("span", {}, one)));
      sides = words.map((one) => html("th", { scope: "row" }, one));
      const caption = html("caption", {}, "Row: centre. Column: context.");
      frame.replaceChildren(html("table", { class: "columns pairs", role: "grid", "aria-label": "Co-occurrence matrix; the arrow keys move, and the cell is explained below" }, caption,
        html("thead", {}, html("tr", {}, html("td"), heads)), html("tbody", {}, cells.map((row, i) => html("tr", {}, sides[i], row)))));
      rove(cells, (cell) => { stop(); set("cell", cell.dataset.place.split(",").map(Number)); });
    };

    const draw = () => {
      const sentences = model.get("sentences"), step = model.get("step"), list = met(), now = list[step - 1];
      const counted = count(sentences, model.get("window"), model.get("weighting"), step), { X } = counted;
      const positive = model.get("show") === "ppmi", shown = positive ? ppmi(X) : X, most = Math.max(...shown.flat(), 1e-9);
      const digits = positive || model.get("weighting") === "harmonic" ? 1 : 0, id = (s, t) => words.indexOf(sentences[s][t]);
      const here = now ? [id(now.s, now.t), id(now.s, now.u)] : null, [ci, cj] = model.get("cell") ?? here ?? [0, 0];
      const window = now ? list.filter(({ s, t }) => s === now.s && t === now.t) : [];

      position.querySelector("input").max = list.length;
      position.value = step;
      width.value = model.get("window");
      back.disabled = none.disabled = step === 0;
      next.disabled = word.disabled = all.disabled = step >= list.length;
      if (next.disabled && timer) stop();

      line.replaceChildren(...sentences.flatMap((sentence, s) => [...sentence.flatMap((one, t) => {
        const centre = now?.s === s && now.t === t, context = window.some(({ u }) => now.s === s && u === t), lit = now?.s === s && now.u === t;
        return [centre ? html("mark", {}, one) : html("span", { class: lit ? "context lit" : context ? "context" : null }, one), " "];
      }), s < sentences.length - 1 ? html("span", { class: "wall" }, "| ") : ""]));
      cells.forEach((row, i) => row.forEach((cell, j) => {
        const x = shown[i][j];
        cell.replaceChildren(x > 0 ? number(x, (y) => text(y, digits)) : "");
        cell.ariaLabel = `${words[i]}, ${words[j]}: ${plain(x)}`;
        tint(cell, x / most);
        cell.classList.toggle("now", Boolean(here) && here[0] === i && here[1] === j);
        cell.classList.toggle("lit", window.some(({ s, u }) => here[0] === i && id(s, u) === j));
        cell.setAttribute("aria-selected", ci === i && cj === j);
      }));
      if (here) { // on a narrow screen the matrix scrolls along
        const cell = cells[here[0]][here[1]].getBoundingClientRect(), view = frame.parentNode.getBoundingClientRect();
        frame.parentNode.scrollLeft += Math.max(0, cell.right - view.right + 8) - Math.max(0, view.left - cell.left + 70);
      }
      heads.forEach((head, j) => head.classList.toggle("on", here?.[1] === j));
      sides.forEach((side, i) => side.classList.toggle("on", here?.[0] === i));

      const place = now && `${Math.abs(now.u - now.t)} ${Math.abs(now.u - now.t) > 1 ? "places" : "place"} ${now.u < now.t ? "before" : "after"}`;
      says.replaceChildren(...(now
        ? [`“${words[here[0]]}” is the centre; “${words[here[1]]}” stands ${place} it and counts `, number(now.weight, plain), ". ",
          step < list.length ? `Pair ${step} of ${list.length}.` : `All ${list.length} pairs are counted: row and column of a word hold the same numbers.`]
        : [`Nothing is counted yet. The window will meet ${list.length} pairs.`]));
      const total = sum(X.flat()), row = sum(X[ci]), column = sum(X.map((one) => one[cj])), it = `Row “${words[ci]}”, column “${words[cj]}”: `;
      formula.replaceChildren(...(X[ci][cj] > 0
        ? [it, "counted ", number(X[ci][cj], plain), " of ", number(total, plain), ` in all; “${words[ci]}” has `, number(row, plain), `, “${words[cj]}” `, number(column, plain),
          `. PMI = ln(${plain(X[ci][cj])} × ${plain(total)} / (${plain(row)} × ${plain(column)})) = `, number(pmi(X, ci, cj)), pmi(X, ci, cj) <= 0 ? ", and PPMI is 0: no more than chance." : "."]
        : [it, "nothing is counted; PPMI calls it 0."]));
      const pair = alike(shown);
      likeness.replaceChildren(...(pair ? [`The rows most alike: “${words[pair.i]}” and “${words[pair.j]}”, cosine `, number(pair.cosine), "."] : ["No two rows have anything in common yet."]));
    };

    build();
    el.append(line, html("div", { class: "together" }, next, word, back, play, all, none), says,
      html("div", { class: "sides" }, scroll("The co-occurrence matrix", frame),
        html("div", { class: "stack" }, position, width, html("div", { class: "together" }, weighting, show), formula, likeness)),
      html("div", {}, html("label", { class: "wide" }, html("span", {}, "Your text"), typed), problem));
    model.on("change:sentences", () => { build(); draw(); });
    model.on("change:step change:window change:weighting change:show change:cell", draw);
    draw();
  },
};
