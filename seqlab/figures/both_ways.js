// A tagger that reads from both ends, with a curtain over the words that have not been said yet.

// What each reader answers when the first `seen` words are there; nothing for the words behind the curtain.
export const answers = ({ words, left, right, both }, seen) => words.map((_, t) =>
  (t < seen ? { left: left[t], right: right[seen - 1][t], both: both[seen - 1][t] } : null));

// The word whose answer changes most between its own step and the end: the one that needs the future.
export const latest = ({ words, both }) => {
  const change = words.map((_, t) => Math.abs(both.at(-1)[t] - both[t][t]));
  return change.indexOf(Math.max(...change));
};

export default {
  render({ model, el }) {
    const sentences = model.get("sentences"), set = (name, value) => { model.set(name, value); model.save_changes(); };
    const now = () => sentences[model.get("chosen")];
    const sentence = choice({
      label: "Sentence", value: "0", options: sentences.map(({ words }, n) => [`${n}`, words.join(" ")]),
      change: (n) => { model.set("seen", 1); set("chosen", +n); build(); draw(); },
    });
    const move = (step) => () => set("seen", clamp(model.get("seen") + step, 1, now().words.length));
    const back = button("Hide a word", move(-1)), forth = button("Show the next word", move(1), { class: "main" });
    const frame = html("div"), says = html("output", { class: "says" });
    let curtain, lines;

    const build = () => {
      const { words, labels } = now();
      curtain = slider({ label: "words seen", min: 1, max: words.length, step: 1, value: model.get("seen"), show: (n) => text(n, 0), change: (n) => set("seen", n) });
      lines = words.map((word, t) => {
        const cells = ["left", "right", "both"].map(() => html("td", { class: "said" }, html("i"), html("span")));
        const row = html("tr", { onclick: () => set("seen", t + 1) }, html("th", { scope: "row" }, word), cells, labels ? html("td", { class: "truth" }, labels[t] ? "name" : "–") : null);
        return { row, cells };
      });
      const heads = ["word", "left →", "← right", "both", ...(labels ? ["truth"] : [])];
      frame.replaceChildren(curtain, scroll("What each reader says about each word", html("table", { class: "curtain" },
        html("caption", {}, "Part of a person's name?"), html("thead", {}, html("tr", {}, heads.map((head) => html("th", { scope: "col" }, head)))),
        html("tbody", {}, lines.map(({ row }) => row)))));
    };

    const draw = () => {
      const one = now(), seen = model.get("seen"), T = one.words.length, said = answers(one, seen), key = latest(one), word = one.words[key];
      curtain.value = seen;
      back.disabled = seen === 1;
      forth.disabled = seen === T;
      lines.forEach(({ row, cells }, t) => {
        row.classList.toggle("behind", t >= seen);
        row.classList.toggle("hem", t === seen && t > 0);
        ["left", "right", "both"].forEach((name, n) => {
          const [bar, value] = cells[n].children, p = said[t]?.[name];
          bar.style.setProperty("--p", p ?? 0);
          value.replaceChildren(p == null ? "?" : number(p, percent));
        });
      });
      const after = seen - 1 - key, before = one.both[key][key];
      says.replaceChildren(...(key >= seen ? [`“${word}” has not been read yet.`]
        : after === 0 ? [`“${word}” has just been read. The left reader says `, number(one.left[key], percent), ", both say ", number(before, percent), ". What settles it is behind the curtain."]
        : [`“${word}”: with nothing after it seen, both said `, number(before, percent), `; ${after} word${after > 1 ? "s" : ""} later they say `, number(said[key].both, percent),
          ". The left reader answered ", number(said[key].left, percent), " and never changes its mind: it does not look back."]),
      seen < T ? "" : " The curtain is open: a bidirectional network answers only now.");
    };

    build();
    el.append(...(sentences.length > 1 ? [sentence] : []), frame, html("div", { class: "together" }, forth, back), says,
      html("p", { class: "quiet" }, "The left reader has read from the first word to this one; the right reader from the curtain back to this one. Hatched: behind the curtain."));
    model.on("change:seen", draw);
    draw();
  },
};
