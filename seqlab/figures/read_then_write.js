// An encoder-decoder step by step: what it reads, the vector that it hands over, what it writes and how sure it is.

const WIDE = 44, SIDE = 8, COLUMNS = 4;

// What is written up to a step, without the symbol that ends it.
export const spelled = ({ written }, steps) => written.slice(0, steps).filter((symbol) => symbol !== "<eos>").join("");

export default {
  render({ model, el }) {
    const questions = model.get("questions"), truths = model.get("truths"), kinds = model.get("kinds"), runs = model.get("runs");
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const run = () => runs[model.get("kind")][model.get("chosen")];
    const last = ({ read, written }) => read.length + written.length;

    const question = choice({ label: "Question", value: "0", options: questions.map((text, n) => [`${n}`, text]),
      change: (n) => { model.set("step", 1); set("chosen", +n); } });
    const kind = choice({ label: "Reads", value: model.get("kind"), options: kinds,
      change: (name) => { model.set("step", Math.min(model.get("step"), last(runs[name][model.get("chosen")]))); set("kind", name); } });
    const go = (step) => () => set("step", clamp(step(model.get("step")), 1, last(run())));
    const forth = button("Next step", go((n) => n + 1), { class: "main" }), back = button("Back", go((n) => n - 1));
    const again = button("Start again", go(() => 1)), whole = button("To the end", go(() => 99));
    const drawing = svg("svg", { role: "img" }), says = html("output", { class: "says" }), odds = html("div");

    // one state as a block of squares: blue above zero, orange below, the stronger the larger
    const block = (x, y, units, now) => svg("g", { transform: `translate(${x} ${y})` },
      units.map((u, n) => svg("rect", { x: SIDE * (n % COLUMNS), y: SIDE * Math.floor(n / COLUMNS), width: SIDE, height: SIDE,
        fill: `var(--${u < 0 ? "orange" : "blue"})`, "fill-opacity": Math.abs(u) })),
      svg("rect", { width: SIDE * COLUMNS, height: SIDE * Math.ceil(units.length / COLUMNS), fill: "none", stroke: now ? "var(--orange)" : "currentColor", "stroke-width": now ? 2.5 : 1 }));
    const word = (x, y, what, bold) => svg("text", { x, y, "text-anchor": "middle", "font-weight": bold ? 700 : 400, "font-size": what.length > 2 ? 10.5 : 15 }, what);

    const draw = () => {
      const one = run(), { read, encoder, heard, written, decoder, peek } = one, step = model.get("step");
      const reading = Math.min(step, read.length), writing = Math.max(0, step - read.length), t = writing - 1;
      const high = SIDE * Math.ceil(encoder[0].length / COLUMNS), across = Math.max(read.length, written.length) * WIDE + 26;
      const left = (n) => 18 + n * WIDE, middle = (n) => left(n) + (SIDE * COLUMNS) / 2, lower = high + 92, bar = high + 62;
      const arrows = [...range(reading - 1).map((n) => arrow(left(n) + 32, 8 + high / 2, left(n + 1), 8 + high / 2)), ...range(Math.max(0, writing - 1)).map((n) => arrow(left(n) + 32, lower + high / 2, left(n + 1), lower + high / 2))];
      const end = left(read.length - 1) + 32, over = writing ? svg("g", { class: "arrow" },
        svg("path", { d: `M${end} ${8 + high / 2}H${across - 4}V${bar}H7V${lower + high / 2}`, style: "fill:none", stroke: "var(--blue)", "stroke-width": 2 }),
        arrow(7, lower + high / 2, 18, lower + high / 2), peek ? range(writing).map((n) => arrow(left(n) + 4, bar, left(n) + 4, lower)) : null) : null;
      drawing.setAttribute("viewBox", `0 0 ${across} ${lower + high + 26}`);
      drawing.style.maxWidth = `${1.25 * across}px`;
      drawing.replaceChildren(...(over ? [over] : []), ...arrows,
        ...range(reading).flatMap((n) => [block(left(n), 8, encoder[n], !writing && n === reading - 1), word(middle(n), high + 26, read[n], !writing && n === reading - 1)]),
        ...range(writing).flatMap((n) => [block(left(n), lower, decoder[n], n === t), word(middle(n) + (peek ? (written[n].length > 2 ? 13 : 4) : 0), lower - 8, written[n], n === t), word(middle(n), lower + high + 18, heard[n], false)]));
      drawing.ariaLabel = `The encoder has read ${read.slice(0, reading).join(" ")}. The decoder has written ${written.slice(0, writing).join(" ") || "nothing yet"}.`;
      question.value = `${model.get("chosen")}`;
      kind.value = model.get("kind");
      back.disabled = again.disabled = step === 1;
      forth.disabled = whole.disabled = step === last(one);
      const answer = spelled(one, writing), truth = truths[model.get("chosen")], done = step === last(one);
      says.replaceChildren(...(writing === 0
        ? [`The encoder reads “${read[reading - 1]}”, symbol ${reading} of ${read.length}. `, reading < read.length ? `Its state, ${one.size} numbers, changes; the first ${encoder[0].length} are drawn.`
          : `All that the decoder will ever know of the question is in this state${peek ? ", and it may look at it at every step" : ""}.`]
        : [`The decoder hears ${heard[t] === "<bos>" ? "<bos>, the sign to begin," : `“${heard[t]}”`} and gives `, number(one.p[t][0][1], percent), ` to “${written[t]}”.`,
          !done ? ` So far: ${answer}` : ` The answer is ${answer || "empty"}`, !done ? "" : truth === "" ? "." : truth === answer ? ", and that is right." : `, but ${questions[model.get("chosen")]} is ${truth}.`]));
      odds.replaceChildren(...(writing ? [table("The likeliest next symbols", ["symbol", "probability"], one.p[t].map(([symbol, p]) =>
        [symbol, html("div", { class: "barred" }, html("div", { class: "amount", style: "width:9rem" }, html("i", { style: `--long:${100 * p}%;--hue:var(--blue)` })), number(p, percent))]))] : []));
    };

    el.append(html("div", { class: "together" }, questions.length > 1 ? question : null, kinds.length > 1 ? kind : null),
      html("div", { class: "together" }, forth, back, whole, again), scroll("The encoder above, the decoder below", drawing), says, odds);
    model.on("change:step change:kind change:chosen", draw);
    draw();
  },
};
