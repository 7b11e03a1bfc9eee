// A recurrent network unrolled over the letters of a word: step through it, see every number, change any.

// inputs: ids of the letters read. Returns one record a step; h starts at zero.
export const forward = ({ W_ih, W_hh, b_ih, b_hh, W_ya, b_y }, inputs) => {
  const steps = [];
  let h = b_hh.map(() => 0);
  for (const id of inputs) {
    const before = h;
    const fromInput = W_ih.map((row) => row[id]); // W_ih times a one-hot column picks a column of W_ih
    const fromState = W_hh.map((row) => dot(row, before));
    const z = fromInput.map((x, i) => x + b_ih[i] + fromState[i] + b_hh[i]);
    h = z.map(Math.tanh);
    const scores = W_ya.map((row, k) => dot(row, h) + b_y[k]);
    steps.push({ before, fromInput, fromState, z, h, scores, p: softmax(scores) });
  }
  return steps;
};

export default {
  render({ model, el }) {
    const symbols = [...model.get("symbols")], presets = model.get("presets"), H = presets.given.b_hh.length;
    const T = model.get("text").length - 1;
    const ids = () => [...model.get("text")].map((letter) => symbols.indexOf(letter));
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const setLetter = (t, letter) => {
      const letters = [...model.get("text")];
      letters[t] = letter;
      set("text", letters.join(""));
    };
    const letterBox = (t, name) => {
      const box = html("select", { "aria-label": name, onchange: () => setLetter(t, box.value) },
        symbols.map((letter) => html("option", {}, letter)));
      return box;
    };

    // controls
    const names = { given: model.get("given"), untrained: "before training", forgetful: "no memory: W_hh = 0", edited: "edited by you" };
    const weights = choice({
      label: "Weights", value: "given", options: Object.entries(names),
      change: (name) => name in presets && set("weights", presets[name]),
    });
    const back = button("Back", () => set("step", model.get("step") - 1));
    const forth = button("Step", () => set("step", model.get("step") + 1), { class: "main" });
    const again = button("Start again", () => set("step", 0));
    const says = html("output", { class: "says" });

    // one column a step
    const columns = range(T).map((t) => {
      const bars = html("div", { class: "bars", role: "img" },
        symbols.map((letter) => html("span", {}, html("b", {}, letter), html("i"), html("span"))));
      const state = html("div", { class: "state" }, range(H).map(() => html("span", { class: "square" })));
      const wants = t < T - 1 ? html("b") : letterBox(T, "letter wanted at the last step");
      const input = letterBox(t, `letter read at step ${t + 1}`);
      const look = button(`t = ${t + 1}`, () => set("step", t + 1), { "aria-label": `Go to step ${t + 1}` });
      const up = () => html("span", { class: "up", "aria-hidden": "true" }, "↑");
      const box = html("div", { role: "group", "aria-label": `step ${t + 1}` },
        html("span", { class: "wants" }, "wants ", wants), bars, up(), state, up(), input, look);
      return { box, bars, state, wants, input };
    });
    const unrolled = scroll("The unrolled network",
      html("div", { class: "unrolled", style: `--steps:${T}` }, columns.map((column) => column.box)));

    // the arithmetic of the step
    const inside = html("div", { class: "sides" });

    // the weights
    const boxes = [];
    const grid = (title, rows, heads, cell) =>
      table(title, ["", ...heads], rows.map((row, i) => [row, ...heads.map((head, j) => cell(i, j, row, head))]));
    const entry = (name, i, j, where) => {
      const input = numberBox({
        label: `${name}, ${where}`, hidden: true, change: (value) => {
          const changed = structuredClone(model.get("weights"));
          if (j == null) changed[name][i] = value; else changed[name][i][j] = value;
          weights.value = "edited";
          set("weights", changed);
        },
      });
      boxes.push({ input, name, i, j });
      return input;
    };
    const units = range(H).map((i) => `h${i + 1}`);
    const matrix = (name, rows, columnsOf, title) =>
      grid(title, rows, columnsOf, (i, j, row, head) => entry(name, i, j, `row ${row}, column ${head}`));
    const details = html("details", {}, html("summary", {}, "Every weight of the network: change any number"),
      html("div", { class: "weights" },
        matrix("W_ih", units, symbols, "W_ih: from the letter"),
        matrix("W_hh", units, units, "W_hh: from the state"),
        grid("Biases of the state", units, ["b_ih", "b_hh"], (i, j, row, head) => entry(head, i, null, row)),
        matrix("W_ya", symbols, units, "W_ya: to the scores"),
        grid("Bias of the scores", symbols, ["b_y"], (i, j, row, head) => entry(head, i, null, row))));

    const arithmetic = (t, { fromInput, fromState, z, h, scores, p }, { b_ih, b_hh }, wanted) => inside.replaceChildren(
      scroll(`Numbers of step ${t}`, table(`State at step ${t}`, ["", "W_ih x", "W_hh h", "b", "sum z", "tanh z"],
        units.map((unit, i) => [unit, ...[fromInput[i], fromState[i], b_ih[i] + b_hh[i], z[i], h[i]].map((x) => number(x))]))),
      scroll(`Prediction of step ${t}`, table(`Prediction at step ${t}`, ["", "score", "probability"],
        symbols.map((symbol, k) => [symbol + (symbol === wanted ? " (wanted)" : ""), number(scores[k]), number(p[k])]))));

    const draw = () => {
      const text_ = model.get("text"), id = ids(), now = clamp(model.get("step"), 0, T), w = model.get("weights");
      const steps = forward(w, id.slice(0, T));
      const losses = steps.map(({ p }, t) => -Math.log(p[id[t + 1]]));
      columns.forEach(({ box, bars, state, wants, input }, t) => {
        const seen = t < now, { h, p } = steps[t];
        box.toggleAttribute("data-now", t === now - 1);
        input.value = text_[t];
        if (t < T - 1) wants.textContent = text_[t + 1]; else wants.value = text_[T];
        bars.ariaLabel = seen ? `prediction: ${symbols.map((s, k) => `${s} ${Math.round(100 * p[k])} %`).join(", ")}` : "not reached yet";
        [...bars.children].forEach((line, k) => {
          line.classList.toggle("wanted", k === id[t + 1]);
          line.children[1].style.setProperty("--p", seen ? p[k] : 0);
          line.children[2].textContent = seen ? Math.round(100 * p[k]) : "";
        });
        [...state.children].forEach((cell, i) => {
          cell.replaceChildren(seen ? number(h[i]) : "");
          tint(cell, seen ? h[i] : 0);
        });
      });
      back.disabled = again.disabled = now === 0;
      forth.disabled = now === T;
      boxes.forEach(({ input, name, i, j }) => {
        const value = j == null ? w[name][i] : w[name][i][j];
        if (input.valueAsNumber !== value) input.value = value;
        input.parentNode.classList.toggle("now", name === "W_ih" && now > 0 && j === id[now - 1]);
      });
      inside.hidden = now === 0;
      if (now === 0) {
        says.replaceChildren(`The state starts at zero. Press Step: the network reads “${text_[0]}” and should predict “${text_[1]}”.`);
        return;
      }
      const t = now - 1, { p } = steps[t], best = symbols[p.indexOf(Math.max(...p))];
      says.replaceChildren(`Step ${now} reads “${text_[t]}” and bets on “${best}”; wanted is “${text_[t + 1]}”, with probability `,
        number(p[id[t + 1]]), ". Loss −ln ", text(p[id[t + 1]]), " = ", number(losses[t]), " nats; sum so far ",
        number(sum(losses.slice(0, now))), ".");
      arithmetic(now, steps[t], w, text_[t + 1]);
    };

    el.append(html("div", { class: "together" }, weights, html("div", { class: "together" }, back, forth, again)),
      unrolled, says, inside, details);
    model.on("change:text change:weights change:step", draw);
    draw();
  },
};
