// BLEU of one sentence, counted while the reader types: what matches, what is clipped, and what comes of it.

const MOST_WORDS = 40, VALUES = { none: 0, floor: 0.1, "add-k": 1, exp: 0 };

// What counts as a word: what stands between spaces; or small letters, with each mark of punctuation by itself.
export const words = (typed, how) => (how === "marks"
  ? typed.normalize("NFC").toLowerCase().match(/[\p{L}\p{M}\p{N}]+|[^\s\p{L}\p{M}\p{N}]/gu) ?? []
  : typed.normalize("NFC").split(/\s+/).filter((word) => word));

// The n-grams of a sentence, in their places.
export const ngrams = (sentence, n) => range(Math.max(0, sentence.length - n + 1)).map((i) => sentence.slice(i, i + n).join(" "));
const tally = (all) => all.reduce((counts, one) => counts.set(one, (counts.get(one) ?? 0) + 1), new Map());

// As seqlab.decode.bleu.clipped_counts: each n-gram, how often it comes, most often in one reference, and how many count.
export const clipped = (hypothesis, references, n) => {
  const most = references.map((reference) => tally(ngrams(reference, n)));
  return [...tally(ngrams(hypothesis, n))].map(([ngram, count]) => {
    const there = Math.max(...most.map((counts) => counts.get(ngram) ?? 0));
    return { ngram, count, there, clip: Math.min(count, there) };
  });
};

// As seqlab.decode.sentence_bleu; with a smoothing only orders that the sentence is long enough for count.
export const bleu = (hypothesis, references, N, smoothing) => {
  const orders = range(N).map((i) => clipped(hypothesis, references, i + 1));
  const matches = orders.map((all) => sum(all.map(({ clip }) => clip))), totals = orders.map((all) => sum(all.map(({ count }) => count)));
  const c = hypothesis.length, lengths = references.map((reference) => reference.length);
  const r = lengths.reduce((best, length) => (Math.abs(length - c) - Math.abs(best - c) || length - best) < 0 ? length : best);
  const penalty = c >= r ? 1 : c > 0 ? Math.exp(1 - r / c) : 0, precisions = Array(N).fill(0);
  let zeros = 0, long = N;
  if (sum(matches) > 0) {
    for (const i of range(N)) {
      const k = smoothing === "add-k" && i > 0 ? VALUES["add-k"] : 0, total = totals[i] + k;
      let match = matches[i] + k;
      if (total === 0) { long = i; break; }
      if (match === 0 && smoothing === "exp") { zeros += 1; match = 0.5 ** zeros; }
      if (match === 0 && smoothing === "floor") match = VALUES.floor;
      precisions[i] = match / total;
    }
  }
  const used = smoothing === "none" ? N : long, log = sum(precisions.slice(0, used).map((p) => Math.log(p))) / used;
  return { matches, totals, precisions, used, c, r, penalty, score: penalty * Math.exp(log) };
};

// For each word of the hypothesis: "matched" if it is in an n-gram that counts, "clipped" if only in some that came too
// often, "" otherwise. The first comers count.
export const marks = (hypothesis, references, n) => {
  const left = new Map(clipped(hypothesis, references, n).map(({ ngram, clip }) => [ngram, clip])), known = new Map(left);
  const found = hypothesis.map(() => "");
  ngrams(hypothesis, n).forEach((ngram, i) => {
    if (!known.get(ngram)) return;
    const counts = left.get(ngram) > 0;
    left.set(ngram, left.get(ngram) - 1);
    range(n).forEach((j) => { if (counts || !found[i + j]) found[i + j] = counts ? "matched" : "clipped"; });
  });
  return found;
};

export default {
  render({ model, el }) {
    const examples = model.get("examples"), set = (name, value) => { model.set(name, value); model.save_changes(); };
    const chosen = choice({ label: "Example", options: examples.map(({ name }, i) => [`${i}`, name]), value: `${model.get("example")}`, change: (i) => {
      model.set("used", examples[i].references.map(() => true));
      model.set("text", examples[i].hypothesis);
      set("example", +i);
    } });
    const typed = html("input", { type: "text", maxlength: 300, autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
    const problem = html("output", { class: "quiet problem" });
    typed.addEventListener("input", () => {
      const many = words(typed.value, model.get("split")).length, wrong = many > MOST_WORDS;
      typed.toggleAttribute("aria-invalid", wrong);
      problem.textContent = wrong ? `These are ${many} words; the figure takes ${MOST_WORDS}. The last text that fits stays below.` : "";
      if (!wrong) set("text", typed.value);
    });
    const reset = button("As it was", () => set("text", examples[model.get("example")].hypothesis));
    const split = choice({ label: "Words", value: model.get("split"), options: [["spaces", "what stands between spaces"], ["marks", "small letters; marks apart"]], change: (how) => set("split", how) });
    const smoothing = choice({ label: "Smoothing", value: model.get("smoothing"), options: [["none", "none"], ["floor", "floor: 0.1"], ["add-k", "add-k: 1"], ["exp", "exp: ½, ¼, …"]], change: (name) => set("smoothing", name) });
    const longest = slider({ label: "longest N =", min: 1, max: 4, step: 1, value: model.get("N"), show: (n) => text(n, 0), change: (N) => { model.set("n", Math.min(model.get("n"), N)); set("N", N); } });
    const order = slider({ label: "look at n =", min: 1, max: 4, step: 1, value: model.get("n"), show: (n) => text(n, 0), change: (n) => { model.set("N", Math.max(model.get("N"), n)); set("n", n); } });

    const line = html("p", { class: "spoken", lang: "" }), says = html("output", { class: "says" }), refs = html("fieldset", { class: "stack" }), counted = html("div", { class: "grams" }), shares = html("div");
    const key = html("p", { class: "quiet" }, html("span", { class: "matched" }, "counts"), " · ", html("span", { class: "clipped" }, "clipped: too often"), " · in no reference");
    const formula = html("p"), brief = html("p", { class: "quiet" });
    let boxes = [];

    const build = () => {
      boxes = examples[model.get("example")].references.map((_, i) => {
        const input = html("input", { type: "checkbox" }), shown = html("span", { lang: "" });
        input.addEventListener("change", () => set("used", model.get("used").map((on, j) => (j === i ? input.checked : on))));
        return { input, shown, label: html("label", { class: "check" }, input, shown) };
      });
      refs.replaceChildren(html("legend", {}, "References that count"), ...boxes.map(({ label }) => label));
    };

    const draw = () => {
      const how = model.get("split"), N = model.get("N"), n = model.get("n"), kind = model.get("smoothing"), used = model.get("used");
      const hypothesis = words(model.get("text"), how), all = examples[model.get("example")].references.map((one) => words(one, how)), references = all.filter((_, i) => used[i]);
      chosen.value = `${model.get("example")}`;
      split.value = how;
      smoothing.value = kind;
      longest.value = N;
      order.value = n;
      if (document.activeElement !== typed || words(typed.value, how).join(" ") !== hypothesis.join(" ")) { typed.value = model.get("text"); typed.removeAttribute("aria-invalid"); problem.textContent = ""; }
      reset.disabled = model.get("text") === examples[model.get("example")].hypothesis;

      const present = new Set(ngrams(hypothesis, n));
      boxes.forEach(({ input, shown }, i) => {
        const lit = all[i].map(() => false);
        ngrams(all[i], n).forEach((ngram, at) => { if (present.has(ngram)) range(n).forEach((j) => { lit[at + j] = true; }); });
        input.checked = used[i];
        shown.replaceChildren(...all[i].flatMap((word, j) => [lit[j] && used[i] ? html("span", { class: "matched" }, word) : word, " "]), html("span", { class: "quiet" }, `(${all[i].length})`));
      });
      const none = !references.length;
      [counted, shares, formula, brief, key].forEach((part) => { part.hidden = none; });
      [order, longest, smoothing, split].forEach((box) => { box.querySelector("input, select").disabled = none; });
      if (none) {
        line.replaceChildren(hypothesis.join(" "));
        says.replaceChildren("Tick a reference: without one there is nothing to hold the words against.");
        return;
      }

      const found = marks(hypothesis, references, n), list = clipped(hypothesis, references, n), { matches, totals, precisions, used: many, c, r, penalty, score } = bleu(hypothesis, references, N, kind);
      line.replaceChildren(...(hypothesis.length ? hypothesis.flatMap((word, i) => [html("span", { class: found[i] || null }, word), " "]) : ["(no word)"]));
      const cut = sum(list.map(({ count, there, clip }) => (there ? count - clip : 0))), what = (m) => (n === 1 ? `word${m === 1 ? "" : "s"}` : `run${m === 1 ? "" : "s"} of ${n} words`);
      says.replaceChildren(`${matches[n - 1]} of ${totals[n - 1]} ${what(totals[n - 1])} count${totals[n - 1] && matches[n - 1] === 1 ? "s" : ""}`, cut ? `; ${cut} more would, but no reference has ${cut === 1 ? "it" : "them"} so often.` : ".",
        " BLEU: ", html("b", {}, number(score, (x) => text(x, 4))), ", or ", number(100 * score, (x) => text(x, 1)), " points.");

      const rows = list.map(({ ngram, count, there, clip }) => ({ cells: [ngram, count, there, clip], state: clip === 0 ? "" : clip < count ? "clipped" : "matched" }));
      counted.replaceChildren(table(`n = ${n}: each ${n === 1 ? "word" : "n-gram"}`, ["", "here", "in a reference", "counts"],
        rows.length ? rows.map(({ cells: [ngram, ...rest], state }) => [html("span", { class: state || null }, ngram), ...rest]) : [["none", "0", "0", "0"]]));
      shares.replaceChildren(table("Precisions", ["n", "match", "of", "p"], range(N).map((i) => [i + 1 === n ? html("mark", {}, i + 1) : i + 1, matches[i], totals[i], i < many ? number(precisions[i], (x) => text(x, 3)) : "–"])));
      brief.replaceChildren(`${c} word${c === 1 ? "" : "s"} against ${r}, the closest length of a reference: the brevity penalty is `, number(penalty, (x) => text(x, 3)), c >= r ? ": nothing is lost." : c ? `, exp(1 − ${r}/${c}).` : ".");
      const root = many > 1 ? html("sup", {}, `1/${many}`) : "", factors = precisions.slice(0, many).map((p) => text(p, 3)).join(" × ");
      formula.replaceChildren(`BLEU = ${text(penalty, 3)} × (${factors})`, root, ` = ${text(score, 4)}`,
        score === 0 && sum(matches) > 0 ? `. One factor is 0, and so is the product${kind === "none" ? "; a smoothing would lift it" : ""}.` : many < N ? `. The sentence has no run of ${many + 1} words.` : "");
    };

    build();
    typed.value = model.get("text");
    if (examples.length > 1) el.append(chosen);
    el.append(html("div", { class: "together" }, html("label", { class: "wide grow" }, html("span", {}, "Translation"), typed), reset), problem, line, key, says, refs,
      html("div", { class: "stack" }, order, longest), html("div", { class: "sides" }, html("div", { class: "stack" }, shares, brief, formula), scroll("The n-grams and their counts", counted)),
      html("div", { class: "together" }, smoothing, split));
    model.on("change:example", () => { build(); draw(); });
    model.on("change:text change:used change:split change:smoothing change:N change:n", draw);
    draw();
  },
};
