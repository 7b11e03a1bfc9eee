// Powers of one matrix: where the state goes, and what is left of a gradient on its way back.

export const matrix = (radius, degrees) => {
  const a = (degrees * Math.PI) / 180, c = radius * Math.cos(a), s = radius * Math.sin(a);
  return [[c, -s], [s, c]];
};

// The larger singular value of a 2 x 2 matrix: by how much it can stretch a vector.
export const stretch = ([[a, b], [c, d]]) => {
  const half = (a * a + b * b + c * c + d * d) / 2, det = a * d - b * c;
  return Math.sqrt(half + Math.sqrt(Math.max(0, half * half - det * det)));
};

// h_t = W h_(t-1), through tanh or not. path: the states; gradient: the size of dh_t / dh_0 at each step.
export const run = ({ radius, angle, steps, tanh, start }) => {
  const W = matrix(radius, angle), path = [start], gradient = [1];
  let h = start, J = [[1, 0], [0, 1]];
  for (const _ of range(steps)) {
    h = W.map((row) => dot(row, h)).map((z) => (tanh ? Math.tanh(z) : z));
    const slope = h.map((x) => (tanh ? 1 - x * x : 1));
    J = W.map((row, i) => [0, 1].map((j) => slope[i] * (row[0] * J[0][j] + row[1] * J[1][j])));
    path.push(h);
    gradient.push(stretch(J));
  }
  return { W, path, gradient };
};

export default {
  render({ model, el }) {
    const steps = model.get("steps"), set = (name) => (value) => { model.set(name, value); model.save_changes(); };
    const degrees = (x) => `${text(x, 0)}°`;
    const radius = slider({ label: "spectral radius", min: 0.5, max: 1.5, step: 0.01, value: model.get("radius"), change: set("radius") });
    const angle = slider({ label: "turn a step", min: 0, max: 180, step: 1, value: model.get("angle"), show: degrees, change: set("angle") });
    const look = slider({ label: "look at step t", min: 0, max: steps, step: 1, value: model.get("look"), show: (x) => text(x, 0), change: set("look") });
    const squash = checkbox({ label: "tanh after each product", checked: model.get("tanh"), change: set("tanh") });
    const says = html("output", { class: "says" }), numbers = html("p", { class: "quiet" });

    // left: the plane, two units to each side
    const P = 260, place = ([x, y]) => [P / 2 + (x * P) / 4, P / 2 - (y * P) / 4];
    const trace = svg("polyline", { fill: "none", stroke: "var(--blue)", "stroke-opacity": 0.5 }), dots = svg("g", { fill: "var(--blue)" });
    const here = svg("g", { style: "color:var(--orange)" });
    const plane = svg("svg", { viewBox: `0 0 ${P} ${P}`, role: "img", style: "overflow:hidden;max-width:22rem" },
      svg("path", { class: "tick", d: range(5).map((i) => `M${(i * P) / 4} 0V${P}M0 ${(i * P) / 4}H${P}`).join("") }),
      svg("path", { class: "axis", d: `M0 ${P / 2}H${P}M${P / 2} 0V${P}` }),
      svg("circle", { class: "axis", cx: P / 2, cy: P / 2, r: P / 4, "stroke-dasharray": "3 4" }),
      svg("text", { x: (3 * P) / 4 + 4, y: P / 2 + 14 }, "1"), trace, dots, here);

    // right: the gradient's size, one decade to a line
    const low = Math.floor(steps * Math.log10(0.5)), high = Math.ceil(steps * Math.log10(1.5)), L = 38, B = 226;
    const X = (t) => L + ((P - L - 8) * t) / steps, Y = (g) => 10 + ((B - 10) * (high - clamp(Math.log10(g), low, high))) / (high - low);
    const decades = range(high - low + 1).map((i) => low + i).filter((e) => e % 3 === 0);
    const raised = (e) => [...String(e)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻").join("");
    const curve = svg("polyline", { fill: "none", stroke: "var(--blue)", "stroke-opacity": 0.5 }), points = svg("g", { fill: "var(--blue)" });
    const power_ = svg("polyline", { fill: "none", stroke: "currentColor", "stroke-opacity": 0.6, "stroke-dasharray": "4 4" });
    const ring = svg("circle", { r: 6, fill: "none", stroke: "var(--orange)", "stroke-width": 2.5 });
    const chart = svg("svg", { viewBox: `0 0 ${P} ${P}`, role: "img", style: "max-width:22rem" },
      decades.map((e) => [svg("path", { class: e ? "tick" : "axis", d: `M${L} ${Y(10 ** e)}H${P - 8}` }),
        svg("text", { x: L - 5, y: Y(10 ** e) + 4, "text-anchor": "end" }, e ? `10${raised(e)}` : "1")]),
      [0, steps / 2, steps].map((t) => svg("text", { x: X(t), y: B + 16, "text-anchor": "middle" }, text(t, 0))),
      svg("text", { x: X(steps / 2), y: B + 31, "text-anchor": "middle" }, "step t"), power_, curve, points, ring);

    const draw = () => {
      const state = Object.fromEntries(["radius", "angle", "steps", "tanh", "start"].map((name) => [name, model.get(name)]));
      const { W, path, gradient } = run(state), t = model.get("look"), last = gradient[steps];
      trace.setAttribute("points", path.map(place).join(" "));
      dots.replaceChildren(...path.map(place).map(([cx, cy]) => svg("circle", { cx, cy, r: 2.2 })));
      const [x, y] = place(path[t]);
      here.replaceChildren(arrow(P / 2, P / 2, x, y, { "stroke-width": 2 }));
      const marks = gradient.map((g, i) => [X(i), Y(g)]);
      curve.setAttribute("points", marks.join(" "));
      points.replaceChildren(...marks.map(([cx, cy]) => svg("circle", { cx, cy, r: 2.2 })));
      power_.setAttribute("points", gradient.map((_, i) => [X(i), Y(state.radius ** i)]).join(" "));
      ring.setAttribute("cx", X(t));
      ring.setAttribute("cy", Y(gradient[t]));
      const fate = last < 0.1 ? "The gradient vanishes" : last > 10 ? "The gradient explodes" : "The gradient survives";
      says.replaceChildren(`${fate}: a nudge to h0 reaches h${steps} multiplied by `, number(last, power),
        state.tanh ? `; without tanh it would be ${power(state.radius ** steps)}.` : `, which is ${text(state.radius)} to the power ${steps}.`);
      numbers.replaceChildren(`W = [${W.map((row) => row.map((w) => text(w)).join("  ")).join(" ; ")}]. At step ${t}: h = (`,
        number(path[t][0]), ", ", number(path[t][1]), "), size of the gradient ", number(gradient[t], power), ".");
      plane.ariaLabel = `The state in the plane: it starts at length ${text(norm(path[0]))} and ends at length ${power(norm(path[steps]))}.`;
      chart.ariaLabel = `Size of the gradient at steps 0 to ${steps} on a log scale: it goes from 1 to ${power(last)}.`;
    };

    el.append(radius, angle, look, squash, says,
      html("div", { class: "sides" },
        html("div", {}, html("p", {}, "The state h", html("sub", {}, "t"), "; the dashed circle has radius 1"), plane),
        html("div", {}, html("p", {}, "Size of ∂h", html("sub", {}, "t"), "/∂h", html("sub", {}, "0"), "; dashed: radius to the power t"), chart)),
      numbers);
    model.on("change:radius change:angle change:look change:tanh", draw);
    draw();
  },
};
