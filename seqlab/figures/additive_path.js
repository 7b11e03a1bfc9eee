// A signal sent back over many steps: a product in the plain network, a gate that lets it through in the LSTM's cell.

// What one step multiplies the signal by: in h = tanh(w h + ...), and along c = f c + i g.
export const factors = ({ w, state, bias }) => ({ rnn: w * (1 - state * state), lstm: 1 / (1 + Math.exp(-bias)) });
// What is left after 0, 1, ..., steps steps of a signal of size 1.
export const path = (factor, steps) => range(steps + 1).map((t) => factor ** t);

export default {
  render({ model, el }) {
    const T = 100, set = (name) => (value) => { model.set(name, value); model.save_changes(); }, whole = (x) => text(x, 0);
    const steps = slider({ label: "steps back, T", min: 1, max: T, step: 1, value: model.get("steps"), show: whole, change: set("steps") });
    const w = slider({ label: "RNN: weight w", min: 0.5, max: 2, step: 0.01, value: model.get("w"), change: set("w") });
    const state = slider({ label: "RNN: state |h|", min: 0, max: 0.95, step: 0.01, value: model.get("state"), change: set("state") });
    const bias = slider({ label: "LSTM: bias b", min: -2, max: 6, step: 0.1, value: model.get("bias"), show: (x) => text(x, 1), change: set("bias") });
    const starts = [0, 1, 4].map((b) => button(`Bias ${b}`, () => set("bias")(b)));
    const says = html("output", { class: "says" });

    // two steps of each network, with the factor at each
    const one = svg("svg", { viewBox: "0 0 340 142", role: "img", style: "max-width:30rem" });
    const ring = (x, y, words, colour) => [svg("circle", { cx: x, cy: y, r: 15, fill: "var(--soft)", stroke: colour ?? "currentColor" }), svg("text", { x, y: y + 4, "text-anchor": "middle" }, words)];
    const chain = (y, name, state_, colour, factor, plus) => [svg("text", { x: 2, y: y + 4, "font-weight": 700 }, name),
      ...[0, 1].flatMap((k) => {
        const x = 66 + 118 * k, end = x + 118;
        return [ring(x, y, state_), svg("line", { x1: x + 15, y1: y, x2: end - 15, y2: y, stroke: colour, "stroke-width": 3 }),
          svg("text", { x: x + (plus ? 41 : 59), y: y - 9, "text-anchor": "middle", "font-size": 12 }, `× ${text(factor)}`),
          plus ? [svg("circle", { cx: x + 84, cy: y, r: 8, fill: "Canvas", stroke: "currentColor" }), svg("path", { d: `M${x + 79} ${y}h10m-5 -5v10`, stroke: "currentColor", fill: "none" }),
            arrow(x + 84, y + 34, x + 84, y + 9), svg("text", { x: x + 84, y: y + 45, "text-anchor": "middle", "font-size": 11 }, "i × g")] : ""];
      }), ring(302, y, state_)];

    // what is left at each step, as a strip that fades
    const strip = { rnn: svg("g"), lstm: svg("g") };
    const strips = svg("svg", { viewBox: "0 0 340 62", role: "img", style: "max-width:30rem" }, strip.rnn, strip.lstm,
      svg("text", { x: 2, y: 18, "font-weight": 700 }, "RNN"), svg("text", { x: 2, y: 43, "font-weight": 700 }, "LSTM"),
      svg("text", { x: 338, y: 60, "text-anchor": "end", "font-size": 10.5 }, "loss"), svg("text", { x: 52, y: 60, "font-size": 10.5 }, "← steps back"));

    // the same on a logarithmic scale
    const W = 340, L = 40, B = 176, low = -12, high = 3, X = (t) => L + ((W - L - 8) * t) / T;
    const Y = (x) => 8 + ((B - 8) * (high - Math.log10(x))) / (high - low);
    // from (0, 1) in a straight line, as far as the chart reaches
    const reach = (factor, steps) => {
      const turn = Math.log10(factor), end = turn ? Math.min(steps, (turn < 0 ? low : high) / turn) : steps;
      return `${X(0)},${Y(1)} ${X(end)},${Y(factor ** end)}`;
    };
    const raised = (e) => [...String(e)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻").join("");
    const look = { rnn: { stroke: "var(--orange)", "stroke-dasharray": "7 3" }, lstm: { stroke: "var(--blue)" } };
    const curves = Object.fromEntries(Object.entries(look).map(([name, style]) => [name, [svg("polyline", { fill: "none", "stroke-width": 1.2, "stroke-opacity": 0.55, ...style }), svg("polyline", { fill: "none", "stroke-width": 3, ...style })]]));
    const marks = svg("g");
    const chart = svg("svg", { viewBox: `0 0 ${W} 212`, role: "img", style: "max-width:30rem;overflow:hidden" },
      [3, 0, -3, -6, -9, -12].map((e) => [svg("path", { class: e ? "tick" : "axis", d: `M${L} ${Y(10 ** e)}H${W - 8}` }), svg("text", { x: L - 5, y: Y(10 ** e) + 4, "text-anchor": "end" }, e ? `10${raised(e)}` : "1")]),
      [0, 25, 50, 75, 100].map((t) => svg("text", { x: X(t), y: B + 17, "text-anchor": t < T ? "middle" : "end" }, whole(t))),
      svg("text", { x: X(50), y: B + 32, "text-anchor": "middle" }, "steps back"), Object.values(curves), marks);

    const pace = (x) => {
      if (Math.abs(x - 1) < 1e-9) return "it stays";
      const turn = Math.LN2 / Math.abs(Math.log(x));
      return `it ${x < 1 ? "halves" : "doubles"} every ${text(turn, turn < 10 ? 1 : 0)} steps`;
    };
    const draw = () => {
      const values = { w: model.get("w"), state: model.get("state"), bias: model.get("bias") }, n = model.get("steps"), each = factors(values);
      steps.value = n; w.value = values.w; state.value = values.state; bias.value = values.bias;
      starts.forEach((start, k) => { start.disabled = values.bias === [0, 1, 4][k]; });
      one.replaceChildren(...chain(28, "RNN", "h", "var(--orange)", each.rnn, false).flat(Infinity), ...chain(84, "LSTM", "c", "var(--blue)", each.lstm, true).flat(Infinity).filter(Boolean));
      one.ariaLabel = `Two steps of each: the RNN's state times ${text(each.rnn)} a step, the LSTM's cell times ${text(each.lstm)} a step plus what the gates add.`;
      const left = {};
      for (const [name, y] of [["rnn", 4], ["lstm", 29]]) {
        const all = path(each[name], T), cell = 288 / n;
        left[name] = all[n];
        strip[name].replaceChildren(svg("rect", { x: 50, y, width: 288, height: 20, fill: "var(--soft)", stroke: "var(--line)" }),
          ...range(n).map((t) => svg("rect", { x: 338 - (t + 1) * cell, y, width: cell, height: 20, fill: name === "rnn" ? "var(--orange)" : "var(--blue)", "fill-opacity": Math.min(1, all[t + 1]).toFixed(4), "shape-rendering": "crispEdges" })));
        curves[name].forEach((line, k) => line.setAttribute("points", reach(each[name], k ? n : T)));
      }
      strips.ariaLabel = `Strips of ${n} steps; at the left end ${power(left.rnn)} is left in the RNN and ${power(left.lstm)} in the LSTM.`;
      marks.replaceChildren(...["rnn", "lstm"].filter((name) => left[name] >= 10 ** low && left[name] <= 10 ** high).map((name) => svg("circle", { cx: X(n), cy: Y(left[name]), r: 5, fill: look[name].stroke, stroke: "currentColor" })));
      chart.ariaLabel = `What is left on a logarithmic scale: after ${n} steps ${power(left.rnn)} in the RNN, dashed, and ${power(left.lstm)} in the LSTM, solid.`;
      says.replaceChildren(`After ${n} step${n > 1 ? "s" : ""}, of a signal of size 1: the RNN, times w(1 − h²) = `, number(each.rnn, (x) => text(x, 3)), " a step, leaves ", number(left.rnn, power),
        ` (${pace(each.rnn)}); the LSTM's cell, times f = σ(b) = `, number(each.lstm, (x) => text(x, 3)), " a step, leaves ", number(left.lstm, power), ` (${pace(each.lstm)}). What is added to the cell, i × g, does not touch the signal.`);
    };

    el.append(steps, html("div", { class: "sides" }, html("div", { class: "stack" }, w, state), html("div", { class: "stack" }, bias, html("div", { class: "together" }, starts))), one, strips,
      html("p", { class: "quiet" }, "Above: full colour is a signal of size 1 or more. Below: the same on a scale of powers of ten; dashed orange is the RNN, blue the LSTM's cell."), chart, says);
    model.on("change:steps change:w change:state change:bias", draw);
    draw();
  },
};
