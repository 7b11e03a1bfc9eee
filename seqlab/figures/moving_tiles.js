// Memory, the chip, and the tiles that a kernel moves between them: one load or store a step, as it was recorded.

const WAIT = 900, FLIGHT = 450; // milliseconds of a step, and of a tile on its way

// All loads and stores in order, each with its launch.
export const steps = ({ launches }) => launches.flatMap(([, , events], launch) => events.map(([program, kind, tensor, elements]) => ({ launch, program, kind, tensor, elements })));

// What the first `step` loads and stores moved: bytes, and for each tensor how many times each of its numbers did.
export const tally = ({ tensors, launches }, step, bytes) => {
  const counts = { loaded: 0, stored: 0, needed: 0, again: 0, scratch: 0 }, moved = tensors.map(([, rows, columns]) => Array(rows * columns).fill(0));
  const read = tensors.map(() => new Set()), written = tensors.map(() => new Set());
  steps({ launches }).slice(0, step).forEach(({ kind, tensor, elements }) => {
    const load = kind === "load", what = tensors[tensor][3], seen = (load ? read : written)[tensor];
    counts[load ? "loaded" : "stored"] += bytes * elements.length;
    elements.forEach((i) => {
      const first = (!load || what === "given") && !seen.has(i);
      counts[what === "between" ? "scratch" : first ? "needed" : "again"] += bytes;
      seen.add(i);
      moved[tensor][i] += 1;
    });
  });
  return { ...counts, moved };
};

// The tile as rows of elements: those that lie in one row of the tensor stand in one row.
export const tile = (elements, columns) => {
  const row = (i) => Math.floor(i / columns);
  return [...new Set(elements.map(row))].map((r) => elements.filter((i) => row(i) === r));
};

// What the chip holds after a step, as far as loads and stores tell: the last tile of each tensor that this program loaded.
export const held = (all, step) => {
  if (!step) return [];
  const now = all[step - 1], latest = new Map();
  all.slice(0, step).filter((one) => one.launch === now.launch && one.program === now.program && one.kind === "load").forEach((one) => latest.set(one.tensor, one));
  return [...latest.values()];
};

const span = (low, high) => (low === high ? `${low + 1}` : `${low + 1} to ${high + 1}`);
const where = (elements, [name, rows, columns]) => {
  const [rs, cs] = [elements.map((i) => Math.floor(i / columns)), elements.map((i) => i % columns)];
  const [r0, r1, c0, c1] = [Math.min(...rs), Math.max(...rs), Math.min(...cs), Math.max(...cs)];
  return [name, ": ", `row${r1 > r0 ? "s" : ""} ${span(r0, r1)}`, columns > 1 ? `, column${c1 > c0 ? "s" : ""} ${span(c0, c1)}` : ""].join("");
};
const KINDS = { given: "given", result: "the result", between: "in between" };

export default {
  render({ model, el }) {
    const kernels = model.get("kernels"), bytes = model.get("number"), still = matchMedia("(prefers-reduced-motion: reduce)");
    const set = (changes) => { Object.entries(changes).forEach(([name, value]) => model.set(name, value)); model.save_changes(); };
    const all = () => steps(now()), now = () => kernels[model.get("kernel")];
    let timer = null, built = "", shown = 0, cells = [], size = null;
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
    const move = (step) => set({ step: clamp(step, 0, all().length) }), go = (f) => () => { stop(); move(f(model.get("step"))); };
    const own = (step) => { // the end of the program at hand, or of the next where this one has ended
      const list = all(), one = list[step];
      return one ? step + list.slice(step).findIndex((other, i, rest) => i === rest.length - 1 || rest[i + 1].launch !== one.launch || rest[i + 1].program !== one.program) + 1 : step;
    };
    const forth = button("Next", go((n) => n + 1), { class: "main" }), back = button("Back", go((n) => n - 1)), leap = button("Next program", go(own)), again = button("Start again", go(() => 0));
    const play = button("Play", () => {
      if (timer) { stop(); return; }
      const tick = () => {
        if (!el.isConnected) { stop(); return; }
        move(model.get("step") + 1);
        if (model.get("step") === all().length) stop();
      };
      play.textContent = "Pause";
      timer = setInterval(tick, WAIT);
      if (model.get("step") === all().length) move(0); else tick();
    });
    const which = choice({ label: "Kernel", value: model.get("kernel"), options: Object.entries(kernels).map(([name, { title }]) => [name, title]), change: (name) => { stop(); set({ kernel: name, step: 0 }); } });
    const note = html("p", { class: "quiet" }), room = html("div"), says = html("output", { class: "says" }), sums = html("div"), chip = html("div", { class: "tiles-held" }), program = html("p", { class: "quiet" });
    const memory = html("div", { class: "tensors" });

    const squares = (rows, columns, cell) => html("span", { class: "numbers", style: `--columns:${columns}` }, range(rows).map((r) => range(columns).map((c) => cell(r, c))));
    const build = () => {
      const { tensors, note: words } = now();
      note.textContent = words;
      cells = [];
      memory.replaceChildren(...tensors.map(([name, rows, columns, kind], t) => {
        const grid = squares(rows, columns, (r, c) => ((cells[t] ??= [])[r * columns + c] = html("i")));
        return html("div", { class: "tensor", role: "img", "data-kind": kind }, html("b", { "aria-hidden": "true" }, name), html("small", { "aria-hidden": "true" }, ` ${rows} × ${columns}`, html("br"), KINDS[kind]), grid);
      }));
      size = slider({ label: "step", min: 0, max: all().length, step: 1, value: model.get("step"), show: (n) => text(n, 0), change: (n) => { stop(); move(n); } });
      room.replaceChildren(size);
      built = model.get("kernel");
    };

    // a tile flies from where it lay to where it lies
    const fly = (nodes, from) => {
      if (still.matches || !nodes.length || !from.length || !nodes[0].animate) return;
      const [a, b] = [from[0].getBoundingClientRect(), nodes[0].getBoundingClientRect()];
      nodes.forEach((node) => node.animate([{ transform: `translate(${a.left - b.left}px, ${a.top - b.top}px)`, zIndex: 1 }, { transform: "none", zIndex: 1 }], { duration: FLIGHT, easing: "ease-in-out" }));
    };

    const draw = () => {
      if (built !== model.get("kernel")) { build(); shown = model.get("step"); }
      const { tensors, launches, title } = now(), list = all(), step = clamp(model.get("step"), 0, list.length), last = list[step - 1], done = step === list.length;
      const sofar = tally(now(), step, bytes), before = tally(now(), Math.max(0, step - 1), bytes), inflight = [];
      which.value = model.get("kernel");
      size.value = step;
      tensors.forEach(([name, rows, columns, kind], t) => {
        const on = last?.tensor === t ? new Set(last.elements) : new Set();
        cells[t].forEach((cell, i) => {
          const times = sofar.moved[t][i];
          cell.className = on.has(i) ? "on" : times ? "moved" : "";
          cell.textContent = times || "";
          if (on.has(i)) inflight.push(cell);
        });
        const moved = sofar.moved[t].filter((n) => n).length, most = Math.max(...sofar.moved[t]);
        memory.children[t].ariaLabel = `${name}, ${rows} by ${columns}, ${KINDS[kind]}: ${moved} of ${rows * columns} numbers have moved${moved ? `, at most ${most} time${most > 1 ? "s" : ""}` : ""}`;
      });

      const out = last?.kind === "store" ? [last] : [], tiles = [...held(list, step).map((one) => [one, "in"]), ...out.map((one) => [one, "out"])], made = [];
      chip.replaceChildren(...tiles.map(([one, way]) => {
        const rows = tile(one.elements, tensors[one.tensor][2]), here = one === last, squares_ = squares(rows.length, rows[0].length, () => html("i", { class: here ? "on" : "moved" }));
        if (here) made.push(...squares_.children);
        return html("div", { class: "tensor", role: "img", "aria-label": `${way === "in" ? "loaded" : "to be stored"}, ${where(one.elements, tensors[one.tensor])}` },
          html("b", { "aria-hidden": "true" }, tensors[one.tensor][0]), html("small", { "aria-hidden": "true" }, html("br"), way === "in" ? "loaded" : "to store"), squares_);
      }));
      if (!tiles.length) chip.replaceChildren(html("p", { class: "quiet" }, "empty"));
      program.textContent = last ? `program ${last.program + 1} of ${launches[last.launch][1]}${launches.length > 1 ? `, kernel ${last.launch + 1} of ${launches.length}` : ""}: ${launches[last.launch][0]}` : "no program runs yet";
      if (step === shown + 1) { if (last.kind === "load") fly(made, inflight); else fly(inflight, made); }
      shown = step;

      if (!last) says.replaceChildren(`Nothing has moved yet. ${launches.length > 1 ? `${launches.length} kernels` : "One kernel"}, ${sum(launches.map(([, programs]) => programs))} programs, ${list.length} loads and stores will follow.`);
      else {
        const more = sofar.again - before.again, between = sofar.scratch - before.scratch;
        says.replaceChildren(html("b", {}, `Step ${step} of ${list.length}. `), `${launches[last.launch][0]}, program ${last.program + 1}, ${last.kind}s ${where(last.elements, tensors[last.tensor])}. ${bytes * last.elements.length} bytes`,
          more ? `; ${more === bytes * last.elements.length ? "all" : more} of them move again.` : between ? ", which pass through memory only in between." : ", for the first time.",
          done ? html("p", {}, html("b", {}, "Done: "), `${sofar.loaded + sofar.stored} bytes have moved; ${sofar.needed} had to.`) : "");
      }
      const one = table("Bytes so far", ["", "so far", "in the end"], (() => {
        const end = tally(now(), list.length, bytes), line = (name, f) => [name, number(f(sofar), (n) => text(n, 0)), number(f(end), (n) => text(n, 0))];
        return [line("loaded", (c) => c.loaded), line("stored", (c) => c.stored), line("together", (c) => c.loaded + c.stored), line("needed", (c) => c.needed), line("again", (c) => c.again), line("in between", (c) => c.scratch)];
      })());
      one.classList.add("sofar");
      const rest = table("In the end, for 4 × 8 scores", ["", "bytes", "needed", "again", "between"], Object.values(kernels).map((kernel) => {
        const c = tally(kernel, Infinity, bytes);
        return [kernel.title, ...[c.loaded + c.stored, c.needed, c.again, c.scratch].map((n) => number(n, (x) => text(x, 0)))];
      }));
      rest.classList.add("ends");
      Object.keys(kernels).forEach((name, i) => { if (name === model.get("kernel")) rest.tBodies[0].rows[i].dataset.now = ""; });
      sums.replaceChildren(html("div", { class: "sides" }, html("div", {}, one), scroll("All kernels in the end", rest)));
      forth.disabled = leap.disabled = done;
      back.disabled = again.disabled = step === 0;
    };

    el.append(which, note, html("div", { class: "hierarchy" },
      html("div", { class: "level" }, html("p", {}, html("b", {}, "Memory: "), "large, far away"), memory),
      html("div", { class: "level chip" }, html("p", {}, html("b", {}, "Chip: "), "small, fast"), program, chip)),
      html("div", { class: "together" }, forth, back, leap, play, again), room, says, sums,
      html("p", { class: "quiet" }, "A cell is a number of 4 bytes; the digit in it says how many times it has moved, orange moves now. The chip is drawn with the last tile of each tensor that the program loaded. Not drawn: what it computes from them, registers and shared memory apart, caches, which may still hold what is loaded again, and that programs run side by side: here they take turns. Recorded from the kernels themselves in Triton's interpreter."));
    model.on("change", draw);
    draw();
  },
};
