// Type a sentence: its words become ids, and each id a column of zeros with a single one.

export const split = (sentence) => sentence.match(/<\w+>|[\p{L}\p{N}'’-]+|[^\s\p{L}\p{N}]/gu) ?? [];
export const encode = (words, tokens) => words.map((word) => {
  const id = tokens.indexOf(word);
  return id < 0 ? tokens.indexOf("<unk>") : id;
});

export default {
  render({ model, el }) {
    const all = model.get("tokens"), set = (name, value) => { model.set(name, value); model.save_changes(); };
    const input = html("input", { type: "text", value: model.get("text"), maxlength: 80, autocomplete: "off", spellcheck: "false" });
    input.addEventListener("input", () => set("text", input.value));
    const size = slider({ label: "vocabulary n_x", min: model.get("least"), max: all.length, step: 1, value: model.get("n_x"), show: (n) => text(n, 0), change: (n) => set("n_x", n) });
    const end = checkbox({ label: "add <eos> at the end", checked: model.get("end"), change: (on) => set("end", on) });
    const says = html("output", { class: "says" }), matrix = scroll("One-hot columns");

    const draw = () => {
      const n = model.get("n_x"), tokens = all.slice(0, n), words = split(model.get("text")).concat(model.get("end") ? ["<eos>"] : []);
      const ids = encode(words, tokens), unknown = tokens.indexOf("<unk>"), strange = words.filter((word, t) => ids[t] === unknown && word !== "<unk>");
      matrix.replaceChildren(html("table", { class: "columns" }, html("caption", {}, "One column a word, one row an entry of the vocabulary"),
        html("thead", {}, html("tr", {}, html("td"), words.map((word, t) => html("th", { scope: "col" }, html("span", {}, word)))),
          html("tr", {}, html("th", { scope: "row" }, "id"), ids.map((id) => html("td", {}, html("b", {}, `${id}`))))),
        html("tbody", {}, tokens.map((token, k) => html("tr", {}, html("th", { scope: "row" }, `${k} ${token}`),
          ids.map((id) => tint(html("td", { class: id === k ? "square one" : "square" }, id === k ? "1" : "0"), id !== k ? 0 : k === unknown ? -1 : 1)))))));
      says.replaceChildren(words.length
        ? `${words.length} words give a matrix of shape (n_x, T_x) = (${n}, ${words.length}) with ${words.length} ones. `
          + (strange.length ? `Not in the vocabulary: ${strange.join(", ")}. <unk> stands for ${strange.length > 1 ? "them" : "it"}.` : "Every word is known.")
        : "Type a word.");
    };

    el.append(html("label", { class: "wide" }, html("span", {}, "Sentence"), input), size, end, says, matrix);
    model.on("change:text change:n_x change:end", draw);
    draw();
  },
};
