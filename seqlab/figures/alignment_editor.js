// A path of CTC, one symbol a frame, that the reader edits: repeats merge, blanks fall away, and the text's probability.

const BLANK = "_";

// What repeats, as one: [{ symbol, first, last }], first and last being frames.
export const runs = (path) => [...path].reduce((found, symbol, t) => {
  if (found.at(-1)?.symbol === symbol) found.at(-1).last = t;
  else found.push({ symbol, first: t, last: t });
  return found;
}, []);

// Merge what repeats, then drop the blanks; and the wrong order of the two.
export const collapse = (path) => runs(path).map(({ symbol }) => symbol).filter((symbol) => symbol !== BLANK).join("");
export const hasty = (path) => runs([...path].filter((symbol) => symbol !== BLANK).join("")).map(({ symbol }) => symbol).join("");

// The states of a text, and those from which each is reached in one frame: a jump passes a blank between two different
// letters.
const lattice = (text) => {
  const states = [BLANK, ...[...text].flatMap((letter) => [letter, BLANK])];
  return { states, before: states.map((z, s) => [s, s - 1, s - 2].filter((b) => b >= 0 && (b > s - 2 || (z !== BLANK && states[b] !== z)))) };
};

// alpha: rows (T, S) that sum over all beginnings of paths; y(t, symbol) is the weight of a symbol in a frame.
export const alpha = (text, T, y) => {
  const { states, before } = lattice(text), rows = [states.map((z, s) => (s < 2 ? y(0, z) : 0))];
  for (let t = 1; t < T; t++) rows.push(states.map((z, s) => sum(before[s].map((b) => rows[t - 1][b])) * y(t, z)));
  return rows;
};
const weight = (p, symbols) => (t, symbol) => p[t][symbols.indexOf(symbol)];

// The probability of a text, over all its paths; how many paths that are; and the probability of one path.
export const total = (p, symbols, text) => sum(alpha(text, p.length, weight(p, [...symbols])).at(-1).slice(-2));
export const ways = (text, T) => sum(alpha(text, T, () => 1).at(-1).slice(-2));
export const along = (p, symbols, path) => [...path].reduce((product, symbol, t) => product * weight(p, [...symbols])(t, symbol), 1);

// The likeliest symbol of every frame; of equal ones the first.
export const greedy = (p, symbols) => p.map((row) => [...symbols][row.indexOf(Math.max(...row))]).join("");

// A path of a text, drawn by its weight: from the last frame to the first. chance() gives numbers from 0 to 1.
export const drawn = (text, T, y, chance) => {
  const { states, before } = lattice(text), rows = alpha(text, T, y);
  const pick = (options, row) => {
    let left = chance() * sum(options.map((s) => row[s]));
    return options.find((s) => (left -= row[s]) < 0) ?? options.findLast((s) => row[s] > 0);
  };
  const through = [pick([states.length - 2, states.length - 1].filter((s) => s >= 0), rows.at(-1))];
  for (let t = T - 2; t >= 0; t--) through.unshift(pick(before[through[0]], rows[t]));
  return through.map((s) => states[s]).join("");
};

// Numbers of chance that are the same every time (mulberry32).
const chances = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let x = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
  return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
};

// Another path of the same text: drawn by the table's probabilities, and evenly where these always give the same one.
export const another = (p, symbols, path, seed) => {
  const text = collapse(path), T = p.length, chance = chances(seed);
  for (const tries of range(2000)) {
    const one = drawn(text, T, tries < 100 && total(p, symbols, text) > 0 ? weight(p, [...symbols]) : () => 1, chance);
    if (one !== path) return one;
  }
  return path;
};

const seen = (symbol) => (symbol === " " ? "␣" : symbol), quoted = (text) => (text ? `“${text}”` : "nothing");
const spoken = (symbol) => ({ [BLANK]: "blank", " ": "space" })[symbol] ?? symbol;

export default {
  render({ model, el }) {
    const examples = model.get("examples"), set = (name, value) => { model.set(name, value); model.save_changes(); };
    const now = () => examples[model.get("example")], path = () => [...model.get("path")], T = () => now().p.length;
    let told = "";

    const chosen = choice({ label: "Example", value: `${model.get("example")}`, options: examples.map(({ name }, i) => [`${i}`, name]), change: (i) => {
      told = "";
      model.set("frame", 0);
      model.set("path", examples[i].path);
      set("example", +i);
    } });
    const whole = (next, why) => { told = why; set("path", next); };
    const best = button("Likeliest path", () => whole(greedy(now().p, now().symbols), "The likeliest symbol of every frame: greedy decoding. "));
    const other = button("Another path, same text", () => {
      model.set("draws", model.get("draws") + 1);
      whole(another(now().p, now().symbols, model.get("path"), model.get("draws")), "Another path, the same text. ");
    });
    const reset = button("As it was", () => whole(now().path, ""));

    const row = html("div", { role: "row", class: "frames" }), grid = html("div", { role: "grid", "aria-label": "The path, one symbol a frame: move with the arrows, type to change" }, row);
    const keys = html("div", { class: "together symbols", role: "group" }), which = html("span"), problem = html("output", { class: "quiet problem" });
    const says = html("output", { class: "says" }), lines = html("div"), odds = html("div"), share = html("p"), beliefs = html("div");
    let cells = [], buttons = [], built = -1;

    // one symbol goes into a frame, and the reader is told what comes of it
    const write = (t, symbol) => {
      const before = path(), after = before.map((one, n) => (n === t ? symbol : one)), text = collapse(before), next = collapse(after);
      if (before[t] === symbol) return;
      const joins = [t && after[t - 1] === symbol, after[t + 1] === symbol].filter((one) => one).length;
      const what = symbol === BLANK
        ? `a blank${t && t < T() - 1 && after[t - 1] === after[t + 1] && after[t - 1] !== BLANK ? `: it keeps ${seen(after[t - 1])} and ${seen(after[t - 1])} apart` : ", and falls away"}`
        : joins === 2 ? `${seen(symbol)}, and joins the ${seen(symbol)} on both sides` : joins ? `${seen(symbol)}, and merges with its neighbour` : `${seen(symbol)}, by itself`;
      told = `Frame ${t + 1} is now ${what}. ` + (text === next ? "The text stays. " : `The text was ${quoted(text)}. `);
      set("path", after.join(""));
    };
    const go = (t, focus = false) => {
      set("frame", clamp(t, 0, T() - 1));
      if (focus) cells[model.get("frame")].cell.focus();
    };
    const typed = (event) => {
      const t = model.get("frame"), symbols = [...now().symbols], { key } = event;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ArrowRight: t + 1, ArrowLeft: t - 1, Home: 0, End: T() - 1 }[key];
      const symbol = symbols.find((one) => one === key) ?? symbols.find((one) => one === key.toLowerCase()) ?? (["-", "Delete", "Backspace"].includes(key) ? BLANK : null);
      if (step === undefined && symbol === null) {
        if ([...key].length === 1) {
          event.preventDefault();
          problem.textContent = `The network knows only ${symbols.map(seen).join(" ")}; “${seen(key)}” is none of them.`;
        }
        return;
      }
      event.preventDefault();
      problem.textContent = "";
      if (step === undefined) write(t, symbol);
      go(step ?? t + ({ Backspace: -1, Delete: 0 }[key] ?? 1), true);
    };

    // all that depends on the example and not on the path
    const build = () => {
      const { p, symbols } = now();
      cells = range(T()).map((t) => {
        const cell = html("div", { role: "gridcell", tabindex: -1 }), run = html("div", { class: "run", "aria-hidden": "true" }), kept = html("div", { class: "kept", "aria-hidden": "true" });
        cell.addEventListener("keydown", typed);
        cell.addEventListener("focus", () => { problem.textContent = ""; go(t); });
        cell.addEventListener("click", () => cell.focus());
        return { cell, run, kept, box: html("div", {}, cell, run, kept) };
      });
      row.replaceChildren(...cells.map(({ box }) => box));
      buttons = [...symbols].map((symbol) => {
        const p = html("small"), node = button([html("b", {}, seen(symbol)), " ", p], () => { const t = model.get("frame"); problem.textContent = ""; write(t, symbol); go(t + 1); });
        return { symbol, node, p };
      });
      keys.replaceChildren(which, ...buttons.map(({ node }) => node));
      const rows = [...symbols].map((symbol, k) => [seen(symbol), ...p.map((row) => text(100 * row[k], 0))]);
      beliefs.replaceChildren(scroll("What the network says of each frame, in percent", table("What the network says, in percent", ["frame", ...range(T()).map((t) => t + 1)], rows)));
      beliefs.querySelector("table").classList.add("beliefs");
      built = model.get("example");
    };

    const draw = () => {
      if (built !== model.get("example")) build();
      const { p, symbols, path: first } = now(), symbolsOf = [...symbols], here = path(), at = model.get("frame"), said = collapse(here), found = runs(here), many = ways(said, T());
      chosen.value = `${model.get("example")}`;
      reset.disabled = model.get("path") === first;
      best.disabled = model.get("path") === greedy(p, symbols);
      other.disabled = many < 2;
      found.forEach(({ symbol, first: from, last }) => range(last - from + 1).forEach((n) => {
        const t = from + n, { cell, run, kept } = cells[t], blank = symbol === BLANK;
        cell.textContent = seen(symbol);
        cell.tabIndex = t === at ? 0 : -1;
        cell.ariaLabel = `Path, frame ${t + 1} of ${T()}: ${spoken(symbol)}`;
        cell.ariaSelected = t === at;
        run.className = ["run", blank && "gone", t === from && "first", t === last && "last"].filter((one) => one).join(" ");
        run.textContent = n ? "" : seen(symbol);
        kept.textContent = n || blank ? "" : seen(symbol);
      }));
      which.textContent = `Frame ${at + 1}:`;
      keys.ariaLabel = `Put a symbol into frame ${at + 1}`;
      buttons.forEach(({ symbol, node, p: shown }, k) => {
        shown.textContent = percent(p[at][k]);
        node.ariaPressed = symbol === here[at];
        node.ariaLabel = `${spoken(symbol)} ${percent(p[at][k])}`;
        node.disabled = symbol === here[at] && at === T() - 1;
      });
      beliefs.querySelectorAll("tbody tr").forEach((line, k) => [...line.querySelectorAll("td")].forEach((cell, t) => {
        tint(cell, p[t][k]);
        cell.className = `square${symbolsOf[k] === here[t] ? " now" : ""}`;
      }));

      const wrong = hasty(here), one = along(p, symbols, here), all = total(p, symbols, said);
      says.replaceChildren(told, said ? html("span", {}, "The path says ", html("b", {}, quoted(said)), ".") : "The path says nothing: it is all blank.", wrong === said ? "" : ` Whoever drops the blanks first gets ${quoted(wrong)}.`);
      const spaced = (symbols) => html("span", { class: "code" }, [...symbols].map(seen).join(""));
      lines.replaceChildren(table("Step by step", ["", "symbols", "result"], [
        ["the path", here.length, spaced(here)], ["repeats merged", found.length, spaced(found.map(({ symbol }) => symbol))], ["blanks dropped", [...said].length, spaced(said)]]));
      lines.querySelector("table").classList.add("steps");
      odds.replaceChildren(table("Under the network's probabilities", ["", "probability", "ln"], [
        ["this path", number(one, power), number(Math.log(one), (x) => text(x, 2))],
        [`all paths of ${quoted(said)}`, number(all, power), number(Math.log(all), (x) => text(x, 2))]]));
      const count = html("b", {}, html("data", { value: many }, many.toLocaleString("en")));
      share.replaceChildren(...(many === 1 ? ["It is the only path"] : ["It is one of ", count, " paths"]), ` of ${T()} frames with this text`,
        ...(all > 0 && many > 1 ? [" and has ", number(one / all, percent), " of the text's probability."] : ["."]));
    };

    if (examples.length > 1) el.append(chosen);
    el.append(grid, html("p", { class: "quiet" }, "Top: the path. Below it: repeats merged; at the bottom: blanks dropped."), keys, problem, says, html("div", { class: "together" }, best, other, reset),
      html("div", { class: "sides" }, lines, html("div", { class: "stack" }, odds, share)), beliefs);
    model.on("change:example change:path change:frame", draw);
    draw();
  },
};
