// A picture described word by word, and where the model looks before each word.

// Runs of equal pixels, so that a picture is a few hundred rectangles: [x, y, length, colour], without the commonest colour.
export const runs = (pixels, size) => {
  const count = {};
  pixels.forEach((p) => { count[p] = (count[p] ?? 0) + 1; });
  const paper = Object.keys(count).reduce((a, b) => (count[b] > count[a] ? b : a)), found = [];
  range(size).forEach((y) => {
    for (let x = 0; x < size;) {
      const colour = pixels[y * size + x];
      let end = x + 1;
      while (end < size && pixels[y * size + end] === colour) end += 1;
      if (colour !== paper) found.push([x, y, end - x, colour]);
      x = end;
    }
  });
  return { paper, found };
};

// Where the weights are largest: row and column from 1, and in words.
export const centre = (map, side) => {
  const best = map.indexOf(Math.max(...map)), row = Math.floor(best / side), column = best % side;
  const third = (n, names) => names[Math.min(2, Math.floor((3 * n) / side))];
  const words = `${third(row, ["upper", "middle", "lower"])} ${third(column, ["left", "middle", "right"])}`.replace("middle middle", "middle");
  return { row: row + 1, column: column + 1, weight: map[best], words };
};

// How many places hold 80 % of the weights.
export const spread = (map) => {
  let left = 0.8 * sum(map), n = 0;
  for (const w of [...map].sort((a, b) => b - a)) { if (left <= 0) break; left -= w; n += 1; }
  return n;
};

export default {
  render({ model, el }) {
    const pictures = model.get("pictures");
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const picture = () => pictures[model.get("picture")], caption = () => picture().captions[model.get("caption")];
    const at = () => clamp(model.get("word"), 0, caption().words.length - 1);
    const text = ({ words }) => words.map(({ word }) => word).join(" ");
    const move = (step) => () => set("word", clamp(at() + step, 0, caption().words.length - 1));
    const forth = button("Next word", move(1), { class: "main" }), back = button("Back", move(-1));
    const which = choice({
      label: "Picture", value: `${model.get("picture")}`,
      options: pictures.map(({ shapes, unseen }, n) => [`${n}`, `${n + 1}: ${shapes.length} shape${shapes.length > 1 ? "s" : ""}${unseen ? ", one of a pair never learnt" : ""}`]),
      change: (n) => { model.set("word", 0); set("picture", +n); },
    });
    const radio = (n) => {
      const input = html("input", { type: "radio", name: `caption-${Math.random().toString(36).slice(2)}`, value: n });
      input.addEventListener("change", () => { model.set("word", 0); set("caption", n); });
      return input;
    };
    const radios = [radio(0), radio(1)], name = radios[0].name;
    radios.forEach((input) => { input.name = name; });
    const labels = radios.map((input, n) => html("label", { class: "check" }, input, html("span", {}, n ? "another right caption, fed word by word" : "what the model writes")));
    const veil = checkbox({ label: "Veil the places where it does not look", checked: model.get("veil"), change: (on) => set("veil", on) });
    const drawing = svg("svg", { role: "img", style: "max-width:19rem" }), sentence = html("p", { class: "spoken lens", role: "group", "aria-label": "The caption; choose a word" });
    const says = html("output", { class: "says" }), likely = html("div");
    let drawn = "", veils = [], words = [];

    // all that does not depend on the word
    const build = () => {
      const { pixels, size, side } = picture(), { paper, found } = runs(pixels, size), k = size / side;
      veils = range(side * side).map((p) => svg("rect", { class: "veil", x: (p % side) * k, y: Math.floor(p / side) * k, width: k, height: k }));
      drawing.setAttribute("viewBox", `0 0 ${size} ${size}`);
      drawing.replaceChildren(
        svg("rect", { width: size, height: size, fill: `#${paper}` }),
        svg("g", { "shape-rendering": "crispEdges" }, found.map(([x, y, width, colour]) => svg("rect", { x, y, width, height: 1, fill: `#${colour}` }))),
        svg("g", { "shape-rendering": "crispEdges" }, veils));
      words = caption().words.map(({ word }, n) => button(word, () => set("word", n)));
      sentence.replaceChildren(...words.flatMap((word, n) => (n ? [" ", word] : [word])));
    };

    const draw = () => {
      const key = `${model.get("picture")} ${model.get("caption")}`;
      if (drawn !== key) { build(); drawn = key; }
      const { shapes, side } = picture(), { right } = caption(), n = at(), now = caption().words[n], most = Math.max(...now.map);
      which.value = `${model.get("picture")}`;
      radios.forEach((input, i) => { input.checked = model.get("caption") === i; });
      back.disabled = n === 0;
      forth.disabled = n === words.length - 1;
      veils.forEach((rect, p) => rect.setAttribute("fill-opacity", model.get("veil") ? 0.85 * (1 - now.map[p] / most) : 0));
      words.forEach((word, i) => { word.toggleAttribute("data-now", i === n); word.setAttribute("aria-pressed", i === n); word.classList.toggle("later", i > n); });
      const { words: where, weight } = centre(now.map, side);
      const named = now.shape === null ? [] : ["It names the ", html("b", {}, shapes[now.shape].name), ": ", number(now.share, percent), " of the weights lie on its places, by chance ", number(shapes[now.shape].chance, percent), ". "];
      says.replaceChildren("Before ", html("b", {}, `“${now.word}”`), ` it looks most at the ${where}: `, number(weight, percent), " of the weights on one place, 80\u00a0% of them on ", html("b", {}, spread(now.map)),
        ` of ${side * side}. `, ...named, "The gate lets ", number(now.gate, percent), " through. ",
        model.get("caption") ? "" : right ? "The whole caption is right." : html("b", {}, "The whole caption is wrong."));
      likely.replaceChildren(table("The likeliest words here", ["word", "probability"], now.next.map(([word, p]) => [
        html("span", word === now.word ? { class: "true" } : {}, word),
        html("span", { class: "barred" }, html("span", { class: "amount", style: `--hue:var(--blue);--long:${100 * p}%` }, html("i")), number(p, percent))])));
      drawing.ariaLabel = `A picture of ${shapes.map((shape) => `a ${shape.name}`).join(", ")}. Before “${now.word}” the model looks most at the ${where}.`;
    };

    el.append(which, html("fieldset", {}, html("legend", {}, "Caption"), labels), sentence,
      html("div", { class: "together" }, forth, back, veil),
      html("div", { class: "sides" }, drawing, html("div", { class: "stack" }, says, likely)));
    model.on("change:picture change:caption change:word change:veil", draw);
    draw();
  },
};
