// Perplexity as a die: each word costs -ln p, and exp of the mean cost is the number of sides of a fair die.

// What a model pays for the first `steps` words, and the sides of the die.
export const pay = (rows, targets, steps) => {
  const losses = targets.slice(0, steps).map((id, t) => -Math.log(rows[t][id]));
  const mean = sum(losses) / steps;
  return { losses, mean, sides: Math.exp(mean) };
};

// Give word i the probability x; the others share the rest as they did before, equally where they had nothing.
export const spread = (row, i, x) => {
  const rest = 1 - row[i];
  return row.map((p, j) => (j === i ? x : rest > 1e-12 ? (p * (1 - x)) / rest : (1 - x) / (row.length - 1)));
};

// The wheel as paths: `sides` slices of equal width from the top on, the last one only as wide as the rest allows.
export const slices = (sides, r, hole) => {
  const at = (turn, radius) => [radius * Math.sin(2 * Math.PI * turn), -radius * Math.cos(2 * Math.PI * turn)].map((x) => x.toFixed(2));
  const ring = (from, to) => {
    const middle = (from + to) / 2; // two arcs each way, so that a whole turn is drawn too
    return `M${at(from, r)}A${r} ${r} 0 0 1 ${at(middle, r)}A${r} ${r} 0 0 1 ${at(to, r)}L${at(to, hole)}A${hole} ${hole} 0 0 0 ${at(middle, hole)}A${hole} ${hole} 0 0 0 ${at(from, hole)}Z`;
  };
  return range(Math.ceil(sides - 0.01)).map((k) => ring(k / sides, Math.min(1, (k + 1) / sides)));
};

export default {
  render({ model, el }) {
    const words = model.get("words"), targets = model.get("targets"), T = targets.length, models = model.get("models");
    const set = (name, value) => { model.set(name, value); model.save_changes(); };

    const names = [...Object.entries(models).map(([name, { says }]) => [name, says]), ["edited", "edited by you"]];
    const chosen = choice({
      label: "Model", value: model.get("model"), options: names,
      change: (name) => { if (name in models) { model.set("model", name); set("rows", models[name].rows); } else set("model", name); },
    });
    const go = (step) => () => set("step", clamp(step(model.get("step")), 1, T));
    const back = button("Back", go((n) => n - 1)), forth = button("Next word", go((n) => n + 1), { class: "main" });
    const again = button("Start again", go(() => 1));
    const sentence = html("p", { class: "spoken" }), says = html("output", { class: "says" });

    const edit = (i) => (x) => {
      const rows = structuredClone(model.get("rows")), t = model.get("step") - 1;
      rows[t] = spread(rows[t], i, x);
      model.set("model", "edited");
      set("rows", rows);
    };
    const sliders = words.map((word, i) => slider({ label: word, min: 0, max: 1, step: 0.01, value: 0, show: percent, change: edit(i) }));
    const odds = html("div", { class: words.length > 20 ? "odds long" : "odds", role: "group" }, sliders);

    const R = 96, wheel = svg("g"), count = svg("text", { y: 3, "text-anchor": "middle", "font-size": 26, "font-weight": 700 });
    const unit = svg("text", { y: 22, "text-anchor": "middle" });
    const die = svg("svg", { viewBox: "-100 -100 200 200", role: "img", style: "max-width:15rem;margin:auto" }, wheel, count, unit);
    const costs = html("div");

    const draw = () => {
      const rows = model.get("rows"), now = model.get("step"), t = now - 1, row = rows[t], id = targets[t];
      const { losses, mean, sides } = pay(rows, targets, now);
      chosen.value = model.get("model");
      back.disabled = again.disabled = now === 1;
      forth.disabled = now === T;
      sentence.replaceChildren(...targets.slice(0, now).flatMap((w, s) => [s === t ? html("mark", {}, words[w]) : words[w], " "]), now < T ? "…" : "");
      odds.ariaLabel = `What the model expects as word ${now}`;
      sliders.forEach((box, i) => {
        const [, input, out] = box.children;
        box.value = row[i];
        box.classList.toggle("came", i === id);
        out.replaceChildren(number(row[i], percent));
        input.setAttribute("aria-valuetext", percent(row[i]));
      });
      const many = sides > 300, whole = Number.isFinite(sides);
      wheel.replaceChildren(...(many ? [svg("path", { d: slices(1, R, 56)[0], fill: "currentColor", "fill-opacity": 0.25 })]
        : slices(sides, R, 56).map((d, k) => svg("path", { d, fill: k ? "var(--soft)" : "var(--orange)", stroke: "currentColor", "stroke-width": sides > 80 ? 0.4 : 1 }))));
      count.textContent = whole && sides < 1e4 ? text(sides, sides < 99.95 ? 1 : 0) : text(sides);
      unit.textContent = Math.abs(sides - 1) < 0.05 ? "side" : "sides";
      die.ariaLabel = `A wheel with ${text(sides, 1)} equal sides, one of them orange.`;
      says.replaceChildren(`“${words[id]}” came; the model gave it `, html("span", {}, percent(row[id])), ": a cost of −ln\u00a0p\u00a0=\u00a0", number(losses[t]), " nats. The mean cost so far is ",
        number(mean), ` nats, so the perplexity is exp(${text(mean)})\u00a0=\u00a0`, number(sides), sides < 1 + 1e-9 ? ": nothing surprised the model, and a die with one side is no riddle."
        : whole ? ": as hard as guessing a fair die with so many sides at every word." : ": the model ruled out what came, and nothing makes up for that.");
      costs.replaceChildren(table("Word by word", ["word", "p", "−ln p", "sides"], losses.map((loss, s) =>
        [words[targets[s]], text(rows[s][targets[s]], 3), number(loss), number(pay(rows, targets, s + 1).sides)])));
    };

    el.append(html("div", { class: "together" }, chosen, T > 1 ? html("div", { class: "together" }, forth, back, again) : null), sentence,
      html("div", { class: "sides" }, odds, html("div", { class: "stack" }, die, html("p", { class: "quiet" }, "All sides are equally wide. The share of one of them is the probability that the model gave, as a geometric mean, to the words that came."))),
      says, scroll("The cost, word by word", costs));
    model.on("change:rows change:step change:model", draw);
    draw();
  },
};
