// The unrolled graph of a network with one unit, walked backwards: a shared weight's gradient is a sum over steps.

// Steps count from 0 here. loss: "every" step pays (h - y)^2 / 2, or only the "last". truncate: 0, or cut before steps k, 2k, ...
export const backward = ({ x, y, w_ih, w_hh, b, loss, truncate }) => {
  const h = [];
  x.forEach((input, t) => h.push(Math.tanh(w_ih * input + w_hh * (t ? h[t - 1] : 0) + b)));
  const pays = (t) => loss === "every" || t === x.length - 1;
  const cost = sum(h.map((value, t) => (pays(t) ? (value - y[t]) ** 2 / 2 : 0)));
  const walk = [], total = { w_hh: 0, w_ih: 0, b: 0 };
  let later = 0;
  for (const t of range(x.length).reverse()) {
    const own = pays(t) ? h[t] - y[t] : 0, slope = 1 - h[t] ** 2, delta = (own + later) * slope, before = t ? h[t - 1] : 0;
    const terms = { w_hh: delta * before, w_ih: delta * x[t], b: delta };
    for (const name of Object.keys(total)) total[name] += terms[name];
    const cut = truncate > 0 && t > 0 && t % truncate === 0;
    walk.push({ t, own, later, slope, delta, before, terms, total: { ...total }, cut });
    later = cut ? 0 : delta * w_hh;
  }
  return { h, cost, walk, total };
};

export default {
  render({ model, el }) {
    const T = model.get("x").length, names = ["x", "y", "w_ih", "w_hh", "b", "loss", "truncate"];
    const state = (more = {}) => ({ ...Object.fromEntries(names.map((name) => [name, model.get(name)])), ...more });
    const set = (name) => (value) => { model.set(name, value); model.save_changes(); };
    const w_hh = slider({ label: "w_hh (state)", min: -1.5, max: 1.5, step: 0.05, value: model.get("w_hh"), change: set("w_hh") });
    const w_ih = slider({ label: "w_ih (input)", min: -1.5, max: 1.5, step: 0.05, value: model.get("w_ih"), change: set("w_ih") });
    const loss = choice({ label: "Loss", options: [["every", "at every step"], ["last", "at the last step only"]], value: model.get("loss"), change: set("loss") });
    const cuts = [["0", "never"], ...range(T - 1).map((k) => [`${k + 1}`, k ? `every ${k + 1} steps` : "every step"])];
    const truncate = choice({ label: "Cut the way back", options: cuts, value: `${model.get("truncate")}`, change: (k) => set("truncate")(+k) });
    const share = choice({ label: "Gradient of", options: [["w_hh", "w_hh"], ["w_ih", "w_ih"], ["b", "b"]], value: model.get("weight"), change: set("weight") });
    const inputs = html("details", {}, html("summary", {}, "Inputs, targets and bias: change any number"),
      html("div", { class: "weights" }, table("", ["", ...range(T).map((t) => `t = ${t + 1}`)], ["x", "y"].map((name) => [name, ...range(T).map((t) => numberBox({
        label: `${name} at step ${t + 1}`, hidden: true, value: model.get(name)[t],
        change: (value) => set(name)(model.get(name).map((old, i) => (i === t ? value : old))),
      }))])), numberBox({ label: "bias b", value: model.get("b"), change: set("b") })));
    const go = (step) => () => set("step")(clamp(step(model.get("step")), 0, T));
    const back = button("Step back", go((n) => n + 1), { class: "main" });
    const undo = button("Undo", go((n) => n - 1)), all = button("All", go(() => T)), again = button("Start again", go(() => 0));
    const says = html("output", { class: "says" }), sums = html("div", { class: "tight" });

    const W = 340, column = (t) => 24 + ((W - 50) * (t + 1)) / T, H = 92, TOP = 20, LOW = 166, r = 20;
    const graph = svg("svg", { viewBox: `0 0 ${W} 190`, role: "img", style: "max-width:36rem" });
    const node = (x, y, label, value, now) => svg("g", { "text-anchor": "middle" },
      svg("circle", { cx: x, cy: y, r, fill: "var(--soft)", stroke: now ? "var(--orange)" : "currentColor", "stroke-width": now ? 3 : 1 }),
      svg("text", { x, y: y - 2, "font-size": 11 }, label), svg("text", { x, y: y + 10, "font-size": 11 }, value));

    const draw = () => {
      const { h, cost, walk, total } = backward(state()), done = model.get("step"), weight = model.get("weight"), seen = walk.slice(0, done);
      const forward = { opacity: 0.45 }, way = (from, to) => arrow(...from, ...to, { style: "color:var(--orange);stroke-width:3" });
      const pays = (t) => model.get("loss") === "every" || t === T - 1;
      graph.replaceChildren(node(column(-1), H, "h0", "0.00", false), ...range(T).flatMap((t) => {
        const x = column(t), before = column(t - 1), step = walk[T - 1 - t], gone = T - t <= done, dim = done ? forward : {};
        const right = gone ? 4 : 0, drawn = [
          svg("text", { x, y: LOW + 4, "text-anchor": "middle" }, `x${t + 1}`, svg("tspan", { x, dy: 13, "font-size": 10 }, text(model.get("x")[t]))),
          arrow(x, LOW - 11, x, H + r + (gone ? 15 : 1), dim),
          arrow(before + r, H - right, x - r - 1, H - right, dim),
          node(x, H, `h${t + 1}`, text(h[t]), T - t === done),
        ];
        if (pays(t)) drawn.push(svg("text", { x, y: TOP, "text-anchor": "middle" }, `L${t + 1}`), arrow(x - right, H - r, x - right, TOP + 5, dim));
        if (gone && pays(t)) drawn.push(way([x + right, TOP + 5], [x + right, H - r - 1]));
        if (gone && !step.cut && t > 0) drawn.push(way([x - r, H + right], [before + r + 1, H + right]));
        if (gone && step.cut) drawn.push(svg("path", { d: `M${(x + before) / 2 - 4} ${H + 12}l4 -24m4 24l4 -24`, stroke: "var(--brick)", "stroke-width": 2.5 }));
        if (gone) drawn.push(svg("text", { x, y: H + r + 12, "font-size": 10.5, "font-weight": 700, "text-anchor": "middle" }, `δ ${text(step.delta)}`));
        return drawn;
      }));
      graph.ariaLabel = `The unrolled graph of ${T} steps; the backward pass has walked ${done} of them`
        + (done ? `, to step ${seen.at(-1).t + 1}.` : ".");
      back.disabled = all.disabled = done === T;
      undo.disabled = again.disabled = done === 0;
      const factor = { w_hh: (s) => `h${s.t}`, w_ih: (s) => `x${s.t + 1}`, b: () => "1" }[weight];
      sums.replaceChildren(table(`Terms of dL/d${weight}`, ["step", "own", "later", "δ", "term", "sum"],
        walk.map((s, i) => [s.t + 1, ...(i < done
          ? [s.own, s.later, s.delta, s.terms[weight], s.total[weight]].map((value) => number(value, (v) => text(v, 3))) : ["·", "·", "·", "·", "·"])])));
      const now = seen.at(-1);
      if (!now) {
        says.replaceChildren(`The forward pass is done; the loss is ${text(cost, 3)}. Now walk back from step ${T}.`);
        return;
      }
      const words = [`Step ${now.t + 1}: (own loss ${text(now.own, 3)} + from later ${text(now.later, 3)}) × slope ${text(now.slope, 3)} = δ ${text(now.delta, 3)}. `,
        `It adds δ × ${factor(now)} = ${text(now.terms[weight], 3)}.`];
      if (now.cut) words.push(" Here the way back is cut.");
      if (done === T) {
        const nudge = 1e-5, moved = (sign) => backward(state({ [weight]: model.get(weight) + sign * nudge })).cost;
        const numeric = (moved(1) - moved(-1)) / (2 * nudge);
        words.push(` All ${T} terms are in: dL/d${weight} = `, number(total[weight], (v) => text(v, 4)),
          model.get("truncate") ? `, where the whole gradient is ${text(numeric, 4)}.` : `. Nudging ${weight} itself gives ${text(numeric, 4)}.`);
      }
      says.replaceChildren(...words);
    };

    el.append(html("div", { class: "together" }, back, undo, all, again), graph, says, scroll("Terms of the gradient", sums),
      html("div", { class: "together" }, share, loss, truncate), w_hh, w_ih, inputs);
    model.on(["step", "weight", ...names].map((name) => `change:${name}`).join(" "), draw);
    draw();
  },
};
