// One gradient, two ways to clip it: by value bends the direction, by norm keeps it.

export const byValue = (g, limit) => g.map((x) => clamp(x, -limit, limit));
export const byNorm = (g, limit) => g.map((x) => x * (limit / Math.max(norm(g), limit)));
export const turned = (g, to) => (Math.abs(Math.atan2(g[0] * to[1] - g[1] * to[0], dot(g, to))) * 180) / Math.PI;

export default {
  render({ model, el }) {
    const R = 40, S = 300, at = (x) => S / 2 + (x * S) / (2 * R), spot = ([x, y]) => [at(x), at(-y)];
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const whole = (x) => text(x, 0);
    const part = (i) => slider({
      label: `gradient g${i + 1}`, min: -R, max: R, step: 1, value: model.get("gradient")[i], show: whole,
      change: (x) => set("gradient", model.get("gradient").map((old, j) => (j === i ? x : old))),
    });
    const parts = [part(0), part(1)];
    const limit = slider({ label: "threshold", min: 1, max: R, step: 1, value: model.get("limit"), show: whole, change: (x) => set("limit", x) });
    const name = `method-${Math.random().toString(36).slice(2)}`; // radio buttons need a group of their own
    const method = html("fieldset", {}, html("legend", {}, "Clip"), [["norm", "by norm"], ["value", "by value"]].map(([value, words]) =>
      html("label", {}, html("input", { type: "radio", name, value, checked: value === model.get("method"), onchange: () => set("method", value) }), words)));
    const says = html("output", { class: "says" }), numbers = html("div");

    const region = svg("g"), arrows = svg("g");
    const plane = svg("svg", { viewBox: `0 0 ${S} ${S}`, role: "img", style: "max-width:24rem;touch-action:pan-y;cursor:crosshair;overflow:hidden" },
      svg("path", { class: "tick", d: range(9).map((i) => `M${(i * S) / 8} 0V${S}M0 ${(i * S) / 8}H${S}`).join("") }),
      svg("path", { class: "axis", d: `M0 ${S / 2}H${S}M${S / 2} 0V${S}` }),
      svg("text", { x: S - 4, y: S / 2 - 5, "text-anchor": "end" }, "g1"), svg("text", { x: S / 2 + 5, y: 12 }, "g2"), region, arrows);
    const drag = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = plane.getBoundingClientRect(), scale = (x) => clamp(Math.round(x * 2 * R - R), -R, R);
      set("gradient", [scale((event.clientX - box.left) / box.width), -scale((event.clientY - box.top) / box.height) || 0]);
    };
    plane.addEventListener("pointerdown", drag);
    plane.addEventListener("pointermove", drag);

    const draw = () => {
      const g = model.get("gradient"), c = model.get("limit"), how = model.get("method");
      const results = { value: byValue(g, c), norm: byNorm(g, c) }, now = results[how], [x, y] = spot(now), [gx, gy] = spot(g), r = (c * S) / (2 * R);
      parts.forEach((box, i) => { box.value = g[i]; });
      limit.value = c;
      const look = { fill: "var(--blue)", "fill-opacity": 0.1, stroke: "var(--blue)" };
      region.replaceChildren(how === "norm" ? svg("circle", { cx: S / 2, cy: S / 2, r, ...look })
        : svg("rect", { x: S / 2 - r, y: S / 2 - r, width: 2 * r, height: 2 * r, ...look }));
      arrows.replaceChildren(
        svg("line", { x1: gx, y1: gy, x2: x, y2: y, stroke: "currentColor", "stroke-dasharray": "2 4" }),
        arrow(S / 2, S / 2, gx, gy),
        arrow(S / 2, S / 2, x, y, { style: "color:var(--orange);stroke-width:3" }));
      const angle = turned(g, now), bent = angle > 0.005, cut = norm(now) < norm(g);
      says.replaceChildren(!norm(g) ? "The gradient is zero: there is nothing to clip."
        : !cut ? "The gradient is inside the threshold: nothing changes."
        : bent ? `Clipping by value bends the direction by ${text(angle, 1)}°: the step no longer points where the gradient does.`
        : `The length falls from ${text(norm(g), 1)} to ${text(norm(now), 1)}; the direction is kept.`);
      numbers.replaceChildren(table("The numbers", ["", "before", "by value", "by norm"], [
        ...[0, 1].map((i) => [`g${i + 1}`, number(g[i]), number(results.value[i]), number(results.norm[i])]),
        ["length", ...[g, results.value, results.norm].map((v) => number(norm(v)))],
        ["turned by", "", ...[results.value, results.norm].map((v) => html("span", {}, number(turned(g, v), (d) => text(d, 1)), "°"))],
      ]));
      plane.ariaLabel = `Gradient (${g.map(whole).join(", ")}), clipped by ${how} to (${now.map((v) => text(v, 1)).join(", ")}).`;
    };

    el.append(html("div", { class: "sides" },
      html("div", {}, plane, html("p", { class: "quiet" }, "Thin arrow: the gradient. Orange arrow: what is left of it.")),
      html("div", { style: "display:grid;gap:.6rem" }, method, limit, parts, says, numbers)));
    model.on("change:gradient change:limit change:method", draw);
    draw();
  },
};
