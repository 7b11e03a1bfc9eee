// A stack of recurrent layers: which steps can run at the same time, and what it all costs.

const PRODUCTS = { rnn: 1, gru: 3, lstm: 4 }, KEPT = { rnn: 1, gru: 4, lstm: 6 };

export const bill = ({ layers, width, directions, cell, steps, inputs, batch }) => {
  const sizes = range(layers).map((l) => (l ? directions * width : inputs)), gates = PRODUCTS[cell];
  return {
    parameters: sum(sizes.map((D) => directions * gates * width * (D + width + 2))),
    products: sum(sizes.map((D) => directions * batch * steps * gates * width * (D + width))),
    kept: batch * steps * (inputs + layers * directions * KEPT[cell] * width),
    ticks: Math.max(...schedule({ layers, directions, steps }).flat(2)),
  };
};

// The earliest tick of each step: schedule[layer][direction][t]. A step waits for its neighbour and for all below it.
export const schedule = ({ layers, directions, steps }) => {
  const all = [];
  for (const l of range(layers)) {
    const below = range(steps).map((t) => (l ? Math.max(...all[l - 1].map((line) => line[t])) : 0));
    all.push(range(directions).map((d) => {
      const line = [], order = d ? range(steps).reverse() : range(steps);
      let before = 0;
      for (const t of order) before = line[t] = 1 + Math.max(before, below[t]);
      return line;
    }));
  }
  return all;
};

export default {
  render({ model, el }) {
    const names = ["layers", "width", "directions", "cell", "steps", "inputs", "batch"];
    const shape = (more = {}) => ({ ...Object.fromEntries(names.map((name) => [name, model.get(name)])), ...more });
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const change = (name) => (value) => { model.set("tick", 0); set(name, value); }, whole = (x) => text(x, 0);
    const many = (x) => (x < 1e6 ? Math.round(x).toLocaleString("en") : `${text(x / 1e6, x < 1e7 ? 2 : x < 1e8 ? 1 : 0)}\u00a0M`);
    const layers = slider({ label: "layers L", min: 1, max: 6, step: 1, value: model.get("layers"), show: whole, change: change("layers") });
    const steps = slider({ label: "steps T", min: 2, max: 40, step: 1, value: model.get("steps"), show: whole, change: change("steps") });
    const widths = [...new Set([16, 32, 64, 128, 256, 512, 1024, model.get("width")])].sort((a, b) => a - b);
    const width = choice({ label: "Width H", options: widths.map((h) => [`${h}`, `${h}`]), value: `${model.get("width")}`, change: (h) => change("width")(+h) });
    const cell = choice({ label: "Cell", options: [["rnn", "RNN"], ["gru", "GRU"], ["lstm", "LSTM"]], value: model.get("cell"), change: change("cell") });
    const both = checkbox({ label: "both directions", checked: model.get("directions") === 2, change: (on) => change("directions")(on ? 2 : 1) });
    const last = () => bill(shape()).ticks, go = (step) => () => set("tick", clamp(step(model.get("tick")), 0, last()));
    const forth = button("Tick", go((n) => n + 1), { class: "main" }), back = button("Back", go((n) => n - 1));
    const all = button("All", go(last)), again = button("Start again", go(() => 0));
    const grid = svg("svg", { role: "img", style: "max-width:30rem" }), says = html("output", { class: "says" }), costs = html("div");

    const draw = () => {
      const s = shape(), now = model.get("tick"), ticks = schedule(s), T = s.steps, [L, W] = [44, 340], size = Math.min(24, (W - L - 4) / T);
      const gap = s.directions === 2 ? 12 : 8, line = size + (s.directions === 2 ? 2 : 0), high = s.directions * line, H = s.layers * (high + gap) + 22;
      const top = (l, d) => H - 22 - (l + 1) * (high + gap) + gap + (s.directions - 1 - d) * line, left = (t) => L + t * size;
      const pad = Math.min(2, size * 0.1), drawn = [];
      ticks.forEach((layer, l) => layer.forEach((steps_, d) => {
        drawn.push(svg("text", { x: L - 6, y: top(l, d) + size / 2 + 4, "text-anchor": "end", "font-size": 11 }, `${d ? "" : l + 1} ${s.directions === 1 || !d ? "→" : "←"}`));
        steps_.forEach((tick, t) => {
          const runs = tick === now, done = tick < now;
          drawn.push(svg("rect", { x: left(t) + pad, y: top(l, d) + pad, width: size - 2 * pad, height: size - 2 * pad, rx: size / 10, "stroke-opacity": 0.5, stroke: "currentColor", "stroke-width": runs ? 1.5 : 0.7,
            fill: runs ? "var(--orange)" : done ? "var(--blue)" : "var(--soft)", "fill-opacity": runs ? 1 : done ? 0.45 : 1, "data-tick": tick }));
          if (size >= 15) drawn.push(svg("text", { x: left(t) + size / 2, y: top(l, d) + size / 2 + 3.5, "text-anchor": "middle", "font-size": 10, style: runs ? "fill:#000" : null }, tick));
        });
      }));
      drawn.push(svg("text", { x: L, y: H - 6, "font-size": 11 }, "t = 1"), svg("text", { x: left(T), y: H - 6, "text-anchor": "end", "font-size": 11 }, `${T}`));
      grid.setAttribute("viewBox", `0 0 ${W} ${H}`);
      grid.replaceChildren(...drawn);
      const flat = ticks.flat(2), end = Math.max(...flat), run = flat.filter((tick) => tick === now).length, widest = Math.max(...range(end).map((k) => flat.filter((tick) => tick === k + 1).length));
      grid.ariaLabel = `${s.layers} layers of ${T} steps${s.directions === 2 ? " in both directions" : ""}; after tick ${now} of ${end}, ${flat.filter((tick) => tick <= now).length} of ${flat.length} steps are done.`;
      layers.value = s.layers; steps.value = T; width.value = `${s.width}`; cell.value = s.cell;
      back.disabled = again.disabled = now === 0;
      forth.disabled = all.disabled = now === end;
      const path = s.directions === 1 ? `T + L − 1 = ${T} + ${s.layers} − 1 = ${end}` : `T × L = ${T} × ${s.layers} = ${end}`;
      says.replaceChildren(now ? `Tick ${now} of ${end}: ${run} step${run > 1 ? "s run" : " runs"} at once (orange). ` : "",
        `${flat.length} steps need at least ${path.replaceAll(" ", "\u00a0")} ticks, with at most ${widest} at once.`,
        s.directions === 2 && s.layers > 1 ? " A layer's two directions must both end before the next layer can use them." : "");
      const [here, one] = [bill(s), bill(shape({ layers: 1, directions: 1 }))];
      const row = (name, key, more = "") => [name, html("span", {}, number(here[key], many), more), number(one[key], many), html("span", {}, number(here[key] / one[key], (x) => text(x, 1)), "×")];
      costs.replaceChildren(table(`The bill: D = ${s.inputs} inputs, B = ${s.batch} sequences`, ["", "this stack", "one layer", "ratio"], [
        row("parameters", "parameters"), row("multiplications", "products"), row("numbers kept", "kept"), row("longest path", "ticks")]));
    };

    el.append(html("div", { class: "together" }, cell, width, both), html("div", { class: "sides" }, layers, steps), html("div", { class: "together" }, forth, back, all, again), grid, says,
      scroll("The bill", costs), html("p", { class: "quiet" }, "Multiplications: by weights, in the forward pass; M is a million. Numbers kept: the inputs, and each layer's gates and states, which the backward pass reads again. Longest path: steps of which each waits for the one before."));
    model.on(["tick", ...names].map((name) => `change:${name}`).join(" "), draw);
    draw();
  },
};
