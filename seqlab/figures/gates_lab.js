// The gates of a trained LSTM over a sentence: force one open or shut, and all that follows is computed anew.

const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const GATES = { i: "write", f: "keep", g: "what", o: "show" }, ROWS = { ...GATES, c: "cell", h: "state" };
const key = (gate, t, unit) => `${gate} ${t} ${unit}`;

// ids: the words read. forced: { "gate step unit": 0 or 1 }, the step and unit counted from 0. One record a word.
export const forward = ({ W_ih, W_hh, b_ih, b_hh, W_ya, b_y }, ids, forced = {}) => {
  const H = W_hh[0].length, steps = [];
  let h = Array(H).fill(0), c = Array(H).fill(0);
  ids.forEach((id, t) => {
    const z = W_ih.map((row, k) => row[id] + b_ih[k] + dot(W_hh[k], h) + b_hh[k]);
    const now = { before: c };
    Object.keys(GATES).forEach((gate, n) => {
      now[gate] = range(H).map((u) => forced[key(gate, t, u)] ?? (gate === "g" ? Math.tanh : sigmoid)(z[n * H + u]));
    });
    c = range(H).map((u) => now.f[u] * now.before[u] + now.i[u] * now.g[u]);
    h = range(H).map((u) => now.o[u] * Math.tanh(c[u]));
    steps.push({ ...now, c, h, p: softmax(W_ya.map((row, k) => dot(row, h) + b_y[k])) });
  });
  return steps;
};

export default {
  render({ model, el }) {
    const weights = model.get("weights"), vocabulary = model.get("vocabulary"), sentences = model.get("sentences");
    const answers = model.get("answers"), H = weights.W_hh[0].length, names = Object.keys(ROWS);
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const words = () => sentences[model.get("chosen")];

    // what the reader's choice stands for: the squares that the next press of a button forces
    const targets = () => {
      const [gate, t] = model.get("place"), unit = model.get("unit");
      if (!(gate in GATES)) return [];
      return (model.get("every") ? range(words().length) : [t]).flatMap((s) => (unit < 0 ? range(H) : [unit]).map((u) => key(gate, s, u)));
    };
    const force = (value) => {
      const forced = { ...model.get("forced") };
      for (const name of targets()) if (value == null) delete forced[name]; else forced[name] = value;
      set("forced", forced);
    };

    const sentence = choice({
      label: "Sentence", value: "0", options: sentences.map((line, n) => [`${n}`, line.join(" ")]),
      change: (n) => { model.set("forced", {}); model.set("place", [model.get("place")[0], Math.min(model.get("place")[1], sentences[n].length - 1)]); set("chosen", +n); build(); draw(); },
    });
    const unit = choice({
      label: "Units", value: `${model.get("unit")}`, options: [["-1", "all"], ...range(H).map((u) => [`${u}`, `${u + 1}`])],
      change: (u) => set("unit", +u),
    });
    const every = checkbox({ label: "at every word", checked: model.get("every"), change: (on) => set("every", on) });
    const open = button("Open (1)", () => force(1)), shut = button("Shut (0)", () => force(0), { class: "main" });
    const free = button("Let go", () => force(null)), none = button("Let all go", () => set("forced", {}));
    const which = html("b"), says = html("output", { class: "says" }), inside = html("div", { class: "tight" });
    const frame = html("div");
    let cells = [], were = [];

    const build = () => {
      cells = names.map((name) => words().map((_, t) => html("td", { class: "stackcell", "data-place": `${name},${t}` }, range(H).map(() => html("i")))));
      were = words().map(() => html("td", { class: "odd" }));
      const grid = html("table", { class: "gates", role: "grid", "aria-label": "Gates, cell and state at each word; the arrow keys move, 1 opens, 0 shuts, Delete lets go" },
        html("thead", {}, html("tr", {}, html("td"), words().map((word) => html("th", { scope: "col" }, html("span", {}, word))))),
        html("tbody", {}, names.map((name, r) => html("tr", { class: name === "c" ? "over" : null }, html("th", { scope: "row" }, `${name} `, html("small", {}, ROWS[name])), cells[r])),
          html("tr", { class: "over" }, html("th", { scope: "row" }, html("small", {}, `“${answers[1]}”, %`)), were)));
      rove(cells, (cell) => { const [name, t] = cell.dataset.place.split(","); set("place", [name, +t]); });
      cells.flat().forEach((cell) => {
        const here = cell.dataset.place === model.get("place").join();
        cell.tabIndex = here ? 0 : -1;
        cell.addEventListener("keydown", (event) => {
          const value = { 0: 0, 1: 1, Delete: null, Backspace: null }[event.key];
          if (value !== undefined) { event.preventDefault(); force(value); }
        });
      });
      frame.replaceChildren(grid);
    };

    const draw = () => {
      const ids = words().map((word) => vocabulary.indexOf(word)), forced = model.get("forced"), [name, t] = model.get("place");
      const steps = forward(weights, ids, forced), alone = forward(weights, ids), aimed = new Set(targets()), count = Object.keys(forced).length;
      cells.forEach((row, r) => row.forEach((cell, s) => {
        const gate = names[r], values = steps[s][gate], here = gate === name && s === t;
        cell.setAttribute("aria-selected", here);
        [...cell.children].forEach((square, u) => {
          square.style.setProperty("--much", `${Math.round(100 * clamp(Math.abs(values[u]), 0, 1))}%`);
          square.style.setProperty("--hue", `var(--${values[u] < 0 ? "orange" : "blue"})`);
          square.classList.toggle("aimed", aimed.has(key(gate, s, u)));
          square.classList.toggle("forced", key(gate, s, u) in forced);
        });
        cell.ariaLabel = `${gate}, ${words()[s]}: ${values.map((x, u) => text(x) + (key(gate, s, u) in forced ? " forced" : "")).join(", ")}`;
      }));
      were.forEach((cell, s) => { cell.replaceChildren(number(100 * steps[s].p[1], (x) => text(x, 0))); });
      const gated = name in GATES;
      which.textContent = gated ? `Gate ${name} (${GATES[name]})${model.get("every") ? "" : ` at “${words()[t]}”`}` : `${name} is no gate: pick i, f, g or o`;
      [open, shut].forEach((one) => { one.disabled = !gated; });
      free.disabled = ![...aimed].some((one) => one in forced);
      none.disabled = !count;
      const [p, q] = [steps.at(-1).p, alone.at(-1).p], best = p.indexOf(Math.max(...p)), was = q.indexOf(Math.max(...q));
      says.replaceChildren(`“${words().join(" ")} …” The network says `, html("strong", {}, answers[best]), " with probability ", number(p[best], percent), ". ",
        ...(count ? [`${count} ${count > 1 ? "values are" : "value is"} forced; left alone it says ${answers[was]} with `, number(q[was], percent), best !== was ? ". The answer has turned." : "."] : ["No gate is forced."]));
      const mark = (gate, u, x) => [number(x), key(gate, t, u) in forced ? "*" : ""];
      inside.replaceChildren(table(`At “${words()[t]}”`, ["unit", "c old", ...names],
        range(H).map((u) => [`${u + 1}`, number(steps[t].before[u]), ...names.map((gate) => mark(gate, u, steps[t][gate][u]))])));
    };

    build();
    el.append(...(sentences.length > 1 ? [sentence] : []), scroll("The gates at each word", frame),
      html("p", { class: "quiet" }, `c = f × c old + i × g, h = o × tanh c. Each strip is a unit, ${H} in a place. Blue: towards 1; orange: towards −1; empty: 0. A thick frame: forced by you. Last line: the probability of “${answers[1]}” if the verb came next.`),
      html("div", { class: "together" }, which, H > 1 ? unit : null, words().length > 1 ? every : null), html("div", { class: "together" }, shut, open, free, none), says, scroll("The numbers of the step", inside));
    model.on("change:forced change:place change:unit change:every", draw);
    draw();
  },
};
