// Words as points in the plane: drag one, and see which words now lie in nearly its direction.

// 0 where a vector has no length
export const cosine = (u, v) => { const lengths = norm(u) * norm(v); return lengths > 0 ? clamp(dot(u, v) / lengths, -1, 1) : 0; };
const degrees = (c) => (Math.acos(c) * 180) / Math.PI;

// The other words, the most alike first; of equals the one that stands earlier.
export const rank = (vectors, chosen) => vectors.map((v, id) => {
  const c = cosine(vectors[chosen], v);
  return { id, cosine: c, angle: degrees(c), distance: norm(v.map((x, k) => x - vectors[chosen][k])) };
}).filter(({ id }) => id !== chosen).sort((a, b) => b.cosine - a.cosine || a.id - b.id);

// The vector with another length and its own direction; a vector without length has none.
export const stretched = (v, length) => { const old = norm(v); return old > 0 ? v.map((x) => (x * length) / old) : v; };

export default {
  render({ model, el }) {
    const words = model.get("words"), R = model.get("limit"), [east, north] = model.get("axes"), S = 340;
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const move = (i, v) => set("vectors", model.get("vectors").map((old, j) => (j === i ? (norm(v) > R ? stretched(v, R) : v) : old)));
    const place = ([x, y]) => [S / 2 + (x * S) / (2 * R), S / 2 - (y * S) / (2 * R)];

    const word = choice({ label: "Word", value: `${model.get("chosen")}`, options: words.map((one, i) => [`${i}`, one]), change: (i) => set("chosen", +i) });
    const length = slider({
      label: "its length", min: 0, max: R, step: R / 100, value: 0,
      change: (x) => { const i = model.get("chosen"), v = model.get("vectors")[i]; move(i, norm(v) > 0 ? stretched(v, x) : aim.map((a) => a * x)); },
    });
    const units = button("Give all the same length", () => set("vectors", model.get("vectors").map((v) => stretched(v, 0.75 * R))));
    const again = button("Reset", () => set("vectors", model.get("start")));
    const says = html("output", { class: "says" }), list = html("div");
    let aim = [1, 0]; // the way the chosen word points, kept while its length is 0

    const rays = svg("g"), arc = svg("g"), under = svg("g");
    const dots = words.map((one, i) => {
      const name = svg("text"), dot_ = svg("circle", { r: 5, class: "dot" }), node = svg("g", { class: "mapword", role: "button" }, svg("circle", { r: 16, fill: "transparent" }), dot_, name);
      keepsKeys(node);
      let held = false;
      const follow = (event) => {
        const box = plane.getBoundingClientRect(), at = (x) => (x * 2 - 1) * R;
        move(i, [at((event.clientX - box.left) / box.width), -at((event.clientY - box.top) / box.height)]);
      };
      node.addEventListener("pointerdown", (event) => { held = true; node.setPointerCapture(event.pointerId); set("chosen", i); node.focus({ preventScroll: true }); event.preventDefault(); });
      node.addEventListener("pointermove", (event) => { if (held) follow(event); });
      ["pointerup", "pointercancel", "lostpointercapture"].forEach((end) => node.addEventListener(end, () => { held = false; }));
      node.addEventListener("click", () => set("chosen", i)); // a screen reader's press comes without a pointer
      node.addEventListener("keydown", (event) => {
        const step = (event.shiftKey ? 1 : 4) * (R / 80), [x, y] = model.get("vectors")[i];
        const to = { ArrowRight: [x + step, y], ArrowLeft: [x - step, y], ArrowUp: [x, y + step], ArrowDown: [x, y - step] }[event.key];
        const other = { PageDown: 1, PageUp: -1 }[event.key];
        if (!to && !other) return;
        event.preventDefault();
        if (to) { move(i, to); return; }
        const j = (i + other + words.length) % words.length;
        set("chosen", j);
        dots[j].node.focus();
      });
      return { node, dot: dot_, name };
    });
    const plane = svg("svg", { viewBox: `0 0 ${S} ${S}`, role: "group", "aria-label": "The words in the plane; the arrow keys move the chosen one, Page Up and Page Down choose another", style: "max-width:26rem;overflow:hidden" },
      svg("path", { class: "tick", d: range(9).map((i) => `M${(i * S) / 8} 0V${S}M0 ${(i * S) / 8}H${S}`).join("") }),
      svg("path", { class: "axis", d: `M0 ${S / 2}H${S}M${S / 2} 0V${S}` }),
      east ? svg("text", { class: "faint", x: S - 3, y: S / 2 - 4, "text-anchor": "end" }, `${east} →`) : null,
      north ? svg("text", { class: "faint", x: S / 2 + 5, y: 12 }, `↑ ${north}`) : null, under, rays, arc, dots.map(({ node }) => node));

    const draw = () => {
      const vectors = model.get("vectors"), i = model.get("chosen"), v = vectors[i], ranked = rank(vectors, i), [best] = ranked;
      const spots = vectors.map(place), order = [i, ...ranked.map(({ id }) => id)];
      const written = labelled(order.map((id) => spots[id]), order.map((id) => words[id]), [S, S],
        { avoid: [i, best.id].map((id) => [[S / 2, S / 2], spots[id]]) });
      if (norm(v) > 0) aim = stretched(v, 1);
      word.value = `${i}`;
      length.value = norm(v);
      length.querySelector("output").textContent = text(norm(v)); // the slider itself stands on a step
      rays.replaceChildren(...spots.map(([x, y], j) => (j === i ? arrow(S / 2, S / 2, x, y, { style: "color:var(--orange);stroke-width:3" })
        : j === best.id ? arrow(S / 2, S / 2, x, y, { style: "color:var(--blue);stroke-width:2" })
        : svg("line", { class: "tick", x1: S / 2, y1: S / 2, x2: x, y2: y }))));
      const turn = (u) => Math.atan2(u[1], u[0]), r = 34, from = turn(v), to = turn(vectors[best.id]), on = (a) => `${S / 2 + r * Math.cos(a)} ${S / 2 - r * Math.sin(a)}`;
      const half = norm(v) > 0 && norm(vectors[best.id]) > 0;
      arc.replaceChildren(...(half ? [svg("path", { class: "angle", d: `M${on(from)}A${r} ${r} 0 0 ${Math.sin(to - from) > 0 ? 0 : 1} ${on(to)}` })] : []));
      order.forEach((id, n) => {
        const { node, dot: dot_, name } = dots[id], [x, y] = spots[id], chosen = id === i;
        node.setAttribute("tabindex", chosen ? 0 : -1);
        node.setAttribute("aria-pressed", chosen);
        node.setAttribute("aria-label", `${words[id]} at ${vectors[id].map((z) => text(z)).join(", ")}`);
        [...node.querySelectorAll("circle")].forEach((circle) => { circle.setAttribute("cx", x); circle.setAttribute("cy", y); });
        dot_.setAttribute("class", chosen ? "dot chosen" : id === best.id ? "dot best" : "dot");
        dot_.setAttribute("r", chosen ? 7 : 5);
        name.setAttribute("x", written[n].x);
        name.setAttribute("y", written[n].y);
        name.setAttribute("text-anchor", written[n].anchor);
        name.setAttribute("font-weight", chosen || id === best.id ? 700 : 400);
        name.textContent = words[id];
      });
      const close = ranked.reduce((a, b) => (b.distance < a.distance ? b : a));
      says.replaceChildren(...(norm(v) > 0
        ? [`“${words[i]}” points most nearly where “${words[best.id]}” does: the angle is `, number(best.angle, (x) => text(x, 1)), "°, its cosine ", number(best.cosine), ". ",
          close.id === best.id ? "It is the nearest point as well." : `The nearest point is another: “${words[close.id]}”.`]
        : [`“${words[i]}” has no length, so it points nowhere: every cosine is set to 0.`]));
      const bar = (c) => html("span", { class: "cosine", "aria-hidden": "true" }, html("i", { style: `--from:${50 + 50 * Math.min(0, c)}%;--long:${50 * Math.abs(c)}%;--hue:var(--${c < 0 ? "orange" : "blue"})` }));
      list.replaceChildren(table(`Neighbours of “${words[i]}”`, ["word", "cosine", "angle", "distance"],
        ranked.slice(0, 8).map((one) => [words[one.id], html("div", { class: "barred" }, bar(one.cosine), number(one.cosine)), html("span", {}, number(one.angle, (x) => text(x, 0)), "°"), number(one.distance)])));
      list.firstChild.classList.add("neighbours");
    };

    el.append(html("div", { class: "sides" },
      html("div", {}, plane, html("p", { class: "quiet" }, "Drag a word, or move the chosen one with the arrow keys (with Shift: a little).")),
      html("div", { class: "stack" }, html("div", { class: "together" }, word, again), length, says, scroll("The neighbours", list), html("div", { class: "together" }, units),
        html("p", { class: "quiet" }, "A length changes distances and no cosine: only a turn does."))));
    model.on("change:vectors change:chosen", draw);
    draw();
  },
};
