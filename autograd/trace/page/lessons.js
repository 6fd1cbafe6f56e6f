/* Below the graph: the same graph walked in a wrong order beside the right one, backward twice without clearing, start gradients, and
 * how values and gradients flow through many layers. Each stands there only if the trace has it. */

const section = (id, title, ...children) =>
  el("section", { id, class: "lesson", "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), ...children);
const same = (a, b) => a && b && JSON.stringify(a.e || a) === JSON.stringify(b.e || b);

/* ---- why in this order? ---- */

const order = { step: 0 };

function orderRow(step, k, list, wrong) {
  const { orders } = model.json, first = wrong && k === orders.first;
  const reason = orders.reason === "again" ? "runs again, so that its contributions count twice" : "runs before all of its adjoint is there";
  const row = el("li", { class: `${first ? "differs" : ""}${k === order.step - 1 ? " active" : ""}${k >= order.step ? " ahead" : ""}` });
  const given = `is given ∂${clip(tensorName(model.nodes[step.node].out[0]), 30)} = `;
  row.append(el("p", nodeLink(step.node), step.dout ? [" ", el("span.soft", given), el("span.adjoint.mono", brief(step.dout, 30))] : null));
  for (const { tensor, after } of step.in)
    row.append(el("p.after", el("span.soft", `∂${clip(tensorName(tensor), 30)} is now `), el("span.mono", brief(after, 30))));
  if (first) row.append(el("p.why", "Here they first differ: ", `${nodeName(step.node)} ${reason}`,
    step.complete && !same(step.dout, step.complete) ? `: it is given ${brief(step.dout, 24)}, and the whole is ${brief(step.complete, 24)}.` : "."));
  return row;
}

function showOrders() {
  const { orders } = model.json, most = Math.max(orders.right.length, orders.wrong.length);
  order.step = Math.min(most, Math.max(0, order.step));
  for (const [id, list, wrong] of [["order-right", orders.right, false], ["order-wrong", orders.wrong, true]]) {
    at(id).replaceChildren(...list.map((step, k) => orderRow(step, k, list, wrong)));
    const active = at(id).querySelector(".active");
    if (active) at(id).scrollTop = active.offsetTop - at(id).offsetTop - at(id).clientHeight / 2;
  }
  at("order-step").textContent = `${order.step} of ${most} steps`;
}

function leafTable(caption, names, rows) {
  const isWrong = (row) => row.values.length > 1 && row.values.some((v) => !same(v, row.values[0]));
  return el("div.wide", el("table.leaves", el("caption", caption),
    el("thead", el("tr", ["gradient of", ...names].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", rows.map((row) => el("tr", { class: isWrong(row) ? "differs" : null }, el("th", { scope: "row" }, tensorLink(row.tensor)),
      row.values.map((v) => el("td.mono", v ? brief(v, 40) : "–")))))));
}

function ordersSection() {
  const { orders } = model.json;
  const button = (id, text, by) => el("button", { id, click: () => ((order.step += by()), showOrders()) }, text), shown = orders.wrong.length;
  const column = (id, title, text) => el("div", el("h3", title), soft(text), el("ol", { id, tabindex: "0", "aria-label": title }));
  const different = orders.first >= 0;
  return section("orders", "Why in this order?",
    el("p", "A node's rule may run only when every contribution to its adjoint has come. The tape's order, backward, makes sure of it. "
      + "Walked depth-first instead, a rule runs each time a contribution arrives, with the adjoint as it then is."),
    el("p", different ? `They first differ at step ${orders.first + 1} of the wrong order.` : "In this graph every adjoint is used complete in both, so they agree.",
      orders.cut || orders.runs > shown ? ` The wrong order runs ${orders.cut ? "more than " : ""}${counted(orders.runs, "rule")}, one for each path; ${shown} are shown.` : ""),
    el("p.buttons", button("order-first", "Start", () => -1e9), button("order-back", "Back", () => -1), button("order-forth", "Next", () => 1),
      different ? button("order-differs", "First difference", () => orders.first + 1 - order.step) : null,
      el("span", { id: "order-step", role: "status", class: "soft" })),
    el("div.columns", column("order-right", "Right: backward along the tape", "Each rule runs once."),
      column("order-wrong", "Wrong: depth-first", "A rule runs as often as contributions arrive.")),
    leafTable("Gradients at the end", ["right order", "wrong order"], (orders.leaves || []).map((l) => ({ tensor: l.tensor, values: [l.right, l.wrong] }))));
}

function twiceSection() {
  const rows = model.json.twice.map((l) => ({ tensor: l.tensor, values: [l.once, l.twice] }));
  return section("twice", "Backward twice without clearing",
    el("p", "Gradients add up until someone clears them: that is what makes several paths, and several batches, sum. "
      + "A second backward pass that follows without clearing adds the same again."),
    leafTable("Gradients", ["after one pass", "after two"], rows));
}

/* ---- start gradients ---- */

/* Six digits: these numbers are read beside those of a calculation by hand. */
const rounded = (v) => ({ ...v, e: v.e.map((x) => (Number.isFinite(real(x)) ? Number(real(x).toPrecision(6)) : x)) });

function seedTable(seed) {
  const numbers = ({ value, shape, name }) => (value && value.e && value.n > 1 ? table(rounded(value), shape || [value.n], name) : el("span.mono", brief(value && value.e ? rounded(value) : value, 60)));
  return [el("h3", seed.title), el("div.wide", el("table.seeds",
    el("thead", el("tr", ["", "formula", "with numbers"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", seed.rows.map((row) => el("tr", el("th", { scope: "row" }, row.name), el("td.mono", row.formula), el("td", numbers(row)))))))];
}

/* ---- flow through layers ---- */

const COLOURS = 8;
const positive = (list) => list.map(real).filter((x) => x > 0 && Number.isFinite(x));

/* Powers of ten that hold all values; at most 40 of them, so that one tiny value does not flatten the rest. */
function decades(lists) {
  const all = lists.flatMap(positive);
  if (!all.length) return [-1, 1];
  const high = Math.ceil(Math.log10(Math.max(...all)) + 1e-9), low = Math.floor(Math.log10(Math.min(...all)));
  return [Math.max(Math.min(low, high - 1), high - 40), high];
}

function linePlot(title, layers, series, log) {
  const w = 340, h = 190, left = 46, bottom = 28, top = 10, right = 10;
  const [low, high] = log ? decades(series.map((s) => s.list)) : [0, 1];
  const x = (i) => left + (layers.length > 1 ? i / (layers.length - 1) : 0.5) * (w - left - right);
  const y = (v) => top + (1 - ((log ? Math.log10(v) : v) - low) / (high - low)) * (h - top - bottom);
  const plot = svg("svg.plot", { viewBox: `0 0 ${w} ${h}`, role: "img",
    "aria-label": `${title}: ${series.map((s) => `${s.name} from ${short(s.list[0])} to ${short(s.list[s.list.length - 1])}`).join("; ")}` });
  const every = Math.max(log ? 1 : 0.25, Math.ceil((high - low) / 5) * (log ? 1 : 0));
  for (let tick = low; tick <= high + 1e-9; tick += log ? every : 0.25) {
    const ty = top + (1 - (tick - low) / (high - low)) * (h - top - bottom);
    const text = label(left - 6, ty + 4, log ? "10" : `${Math.round(tick * 100)} %`, null, { "text-anchor": "end" });
    if (log) text.append(svg("tspan", { dy: -4, "font-size": 8 }, String(tick).replace("-", "−")));
    plot.append(svg("path.grid", { d: `M${left} ${ty.toFixed(1)}H${w - right}` }), text);
  }
  series.forEach((s, k) => {
    const dots = s.list.map(real).map((v, i) => (Number.isFinite(v) && (!log || v >= 10 ** low) ? `${x(i).toFixed(1)} ${y(v).toFixed(1)}` : null));
    const path = dots.reduce((d, dot, i) => (dot === null ? d : `${d}${i > 0 && dots[i - 1] !== null ? "L" : "M"}${dot}`), "");
    plot.append(svg("path", { class: `series c${k % COLOURS}`, d: path }));
  });
  for (const i of [0, Math.floor((layers.length - 1) / 2), layers.length - 1])
    plot.append(label(x(i), h - 12, String(layers[i]), null, { "text-anchor": "middle" }));
  plot.append(label((left + w - right) / 2, h - 1, "layer", "soft", { "text-anchor": "middle" }));
  return el("figure", el("figcaption", title), plot);
}

function flowParts(flow) {
  const pick = (name) => flow.series.filter((s) => s[name]).map((s) => ({ name: s.name, list: s[name] }));
  const legend = el("ul.legend", flow.series.map((s, k) => el("li", el("span", { class: `swatch c${k % COLOURS}` }), s.name)));
  const kinds = [["activation", "Activations, standard deviation", true], ["gradient", "Gradients, standard deviation", true], ["dead", "Dead units, share", false]];
  const plots = kinds
    .filter(([name]) => pick(name).length).map(([name, title, log]) => linePlot(title, flow.layers, pick(name), log));
  return [el("h3", flow.title), legend, el("div.plots", plots)];
}

function buildLessons() {
  const { orders, twice, seeds, flow } = model.json, box = at("lessons");
  if (seeds && seeds.length) box.append(section("seeds", "Start gradients, by hand", ...seeds.flatMap(seedTable)));
  if (flow && flow.length) box.append(section("flow", "How values and gradients flow through layers", ...flow.flatMap(flowParts)));
  if (orders) {
    box.append(ordersSection());
    order.step = orders.first >= 0 ? orders.first + 1 : orders.wrong.length;
    showOrders();
  }
  if (twice && twice.length) box.append(twiceSection());
  const names = { orders: "Why in this order?", twice: "Backward twice", seeds: "Start gradients", flow: "Flow" };
  for (const { id } of box.children) at("contents").append(el("a", { href: `#${id}` }, names[id]));
}
