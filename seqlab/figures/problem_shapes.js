// Five shapes of problem, unrolled: what goes in, what comes out, and when.

// Where each thing stands: the column of every input and output, and which outputs are fed back.
export const layout = (shape, Tx, Ty) => {
  const first = { "one-to-one": 0, "one-to-many": 0, "many-to-one": Tx - 1, "many-to-many": 0, "encoder-decoder": Tx - 1 }[shape];
  const inputs = range(Tx), outputs = range(Ty).map((t) => first + t);
  return { inputs, outputs, columns: Math.max(Tx, first + Ty), fed: shape === "one-to-many" || shape === "encoder-decoder" };
};

export default {
  render({ model, el }) {
    const shapes = model.get("shapes"), problems = model.get("problems");
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const problem = choice({ label: "Problem", options: problems.map(({ name }) => [name, name]), value: model.get("problem"), change: (name) => set("problem", name) });
    const group = `shape-${Math.random().toString(36).slice(2)}`;
    const radios = shapes.map(({ id, name }) => {
      const input = html("input", { type: "radio", name: group, value: id, onchange: () => set("problem", problems.find((p) => p.shape === id).name) });
      return html("label", {}, input, name);
    });
    const drawing = svg("svg", { role: "img", style: "max-width:38rem" }), says = html("output", { class: "says" });
    const sizes = html("div");

    const draw = () => {
      const { name, shape, x, y, n_x, n_y } = problems.find((p) => p.name === model.get("problem")), about = shapes.find(({ id }) => id === shape);
      const { inputs, outputs, columns, fed } = layout(shape, x.length, y.length);
      problem.value = name;
      radios.forEach((label) => { label.firstChild.checked = label.firstChild.value === shape; });
      const step = Math.max(50, 340 / Math.max(columns, 4)), W = step * columns, at = (c) => step * (c + 0.5), [top, mid, low] = [30, 92, 154];
      const box = (c, y_, words, colour) => svg("g", { "text-anchor": "middle" },
        svg("rect", { x: at(c) - step / 2 + 2, y: y_ - 13, width: step - 4, height: 26, rx: 5, fill: colour, "fill-opacity": 0.16, stroke: colour }),
        svg("text", { x: at(c), y: y_ + 4, "font-size": 11 }, words));
      drawing.setAttribute("viewBox", `0 0 ${W} 190`);
      drawing.style.maxWidth = `${Math.min(38, W / 11)}rem`;
      drawing.replaceChildren(
        ...range(columns).flatMap((c) => [svg("circle", { cx: at(c), cy: mid, r: 13, fill: "var(--soft)", stroke: "currentColor" }),
          svg("text", { x: at(c), y: mid + 4, "text-anchor": "middle", "font-size": 11 }, "a"), c ? arrow(at(c - 1) + 13, mid, at(c) - 14, mid) : ""]),
        ...inputs.flatMap((c, t) => [box(c, low, x[t], "var(--blue)"), arrow(at(c), low - 13, at(c), mid + 14), svg("text", { x: at(c), y: low + 28, "text-anchor": "middle", "font-size": 10 }, `x⟨${t + 1}⟩`)]),
        ...outputs.flatMap((c, t) => [box(c, top, y[t], "var(--orange)"), arrow(at(c), mid - 13, at(c), top + 14), svg("text", { x: at(c), y: top - 18, "text-anchor": "middle", "font-size": 10 }, `y⟨${t + 1}⟩`),
          fed && t ? arrow(at(c - 1) + step / 4, top + 13, at(c) - 11, mid - 9, { "stroke-dasharray": "3 3" }) : ""]));
      drawing.ariaLabel = `${about.name}: in come ${x.join(", ")}; out come ${y.join(", ")}.`;
      says.replaceChildren(`${name}: ${about.name}. ${about.says}`);
      sizes.replaceChildren(table("Shapes for m examples", ["", "numbers a step", "steps", "tensor"], [
        ["in", n_x, `T_x = ${x.length}`, `(n_x, m, ${x.length})`], ["out", n_y, `T_y = ${y.length}`, `(n_y, m, ${y.length})`]]));
    };

    el.append(problem, html("fieldset", {}, html("legend", {}, "Shape"), radios), scroll("The unrolled network", drawing), says, sizes);
    model.on("change:problem", draw);
    draw();
  },
};
