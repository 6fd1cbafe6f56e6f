/* Draws the part of the picture that is in view, as SVG, anew at every step: some hundred elements at most. */

const graph = { scale: 1, all: false, drawn: null };
const CHARACTER = 6.7; /* width of one at 11 pixels, monospaced */

const fit = (text, width) => clip(text, Math.floor(width / CHARACTER));
const isHand = (item) => now.hand !== null && now.hand.id === item.id;
const label = (x, y, text, kind, more) => svg("text", { x, y, class: kind, ...more }, text);

/* How far a fold has come, forward and backward, from 0 to 1. Its nodes follow each other on the tape, so counting is subtraction. */
function progress(fold) {
  const count = fold.to - fold.from + 1;
  const forward = Math.min(count, Math.max(0, now.step - fold.from)) / count;
  let back = 0;
  if (now.step > model.seedAt)
    for (let node = fold.from; node <= fold.to; node++) if (model.nodes[node].endAt && model.nodes[node].endAt <= now.step) back++;
  return { forward, back: back / count };
}

function stateOf(item) {
  const step = model.steps[now.step];
  const active = step.node !== undefined && item.from <= step.node && step.node <= item.to && item.kind !== "tensor" && !(item.kind === "fold" && item.open);
  const added = step.kind === "sum" && item.kind === "tensor" && step.part.tensor === item.tensor;
  const chosen = item.kind === "node" && now.chosen.has(item.node);
  return `${active ? " active" : ""}${added ? " added" : ""}${isHand(item) ? " hand" : ""}${chosen ? " chosen" : ""}`;
}

/* What the box says of a tensor: its value, and its gradient as far as it has come. */
function valueLines(tensor, x, y, width) {
  const { value } = model.tensors[tensor], lines = [];
  const made = isMade(tensor), gradient = gradientAt(tensor);
  lines.push(label(x, y, made ? fit(brief(value), width) : "·", made ? "value" : "soft"));
  if (gradient) lines.push(label(x, y + 14, fit(`∂ ${brief(gradient.after, 20)}${isComplete(tensor) ? "" : " …"}`, width), "adjoint"));
  else if (now.step > model.seedAt && !model.tensors[tensor].requires_grad) lines.push(label(x, y + 14, "no gradient asked", "soft"));
  return lines;
}

function nodeBox(item) {
  const { x, y, w, h } = item, node = model.nodes[item.node], op = opOf(item.node).name, out = node.out[0];
  const id = `#${node.id}`, made = now.step > item.node;
  const named = model.tensors[out].name ? `${model.tensors[out].name} ` : "";
  return svg("g", { class: `box node${made ? "" : " ahead"}${stateOf(item)}` },
    svg("rect", { x, y, width: w, height: h, rx: 5 }),
    label(x + 9, y + 17, fit(op, w - 26 - id.length * CHARACTER), "op"), label(x + w - 8, y + 17, id, "soft", { "text-anchor": "end" }),
    label(x + 9, y + 33, fit(named + shapeText(model.tensors[out].shape), w - 16), "soft"),
    valueLines(out, x + 9, y + 50, w - 14));
}

function tensorBox(item) {
  const { x, y, w, h } = item, tensor = model.tensors[item.tensor], whole = tensorName(item.tensor);
  const name = whole.startsWith(`${item.parent.label}.`) ? whole.slice(item.parent.label.length + 1) : whole;
  return svg("g", { class: `box tensor ${tensor.role}${stateOf(item)}` },
    svg("rect", { x, y, width: w, height: h, rx: 18 }),
    label(x + 14, y + 17, fit(`${name} ${tensor.shape.length ? shapeText(tensor.shape) : ""}`, w - 24), "name"),
    valueLines(item.tensor, x + 14, y + 32, w - 24));
}

function foldBox(item) {
  const { x, y, w, h } = item, { nodes, parameters } = contents(item), { forward, back } = progress(item);
  const what = counted(nodes, "node") + (parameters ? ` · ${counted(parameters, "parameter")}` : "");
  return svg("g", { class: `box fold${stateOf(item)}` },
    svg("rect", { x, y, width: w, height: h, rx: 5 }), svg("rect.inner", { x: x + 3, y: y + 3, width: w - 6, height: h - 6, rx: 3 }),
    label(x + 12, y + 22, fit(`▸ ${item.label}`, w - 22), "op"), label(x + 12, y + 38, fit(what, w - 20), "soft"),
    svg("rect.bar.forward", { x: x + 12, y: y + h - 13, width: (w - 24) * forward, height: 2 }),
    svg("rect.bar.backward", { x: x + 12, y: y + h - 9, width: (w - 24) * back, height: 2 }));
}

function frame(item) {
  const { x, y, w, h } = item;
  return svg("g", { class: `box frame${stateOf(item)}` },
    svg("rect", { x, y, width: w, height: h, rx: 7 }),
    svg("rect.grip", { x: x + 1, y: y + 1, width: w - 2, height: HEAD - 6, rx: 6 }));
}

/* Over the edges that run through a frame. */
const frameLabel = (item) => label(item.x + 10, item.y + 15, fit(`▾ ${item.label}`, item.w - 20), "soft halo");

/* What a screen reader says of a box. */
function spoken(item) {
  if (item.kind === "fold") {
    const { nodes, parameters } = contents(item);
    return `${item.label}: ${counted(nodes, "node")}, ${counted(parameters, "parameter")}`;
  }
  const tensor = item.kind === "node" ? model.nodes[item.node].out[0] : item.tensor;
  const gradient = gradientAt(tensor);
  return `${item.kind === "node" ? `${nodeName(item.node)}, ` : ""}${clip(tensorName(tensor), 80)}, ${shapeText(model.tensors[tensor].shape)}, `
    + (isMade(tensor) ? `value ${brief(model.tensors[tensor].value)}` : "not made yet") + (gradient ? `, gradient ${brief(gradient.after)}` : "");
}

function drawBox(item) {
  const open = item.kind === "fold" && item.open;
  const made = open ? frame(item) : { node: nodeBox, tensor: tensorBox, fold: foldBox }[item.kind](item);
  made.id = item.id;
  made.setAttribute("role", "treeitem");
  made.setAttribute("aria-level", item.path.length);
  made.setAttribute("aria-label", spoken(item));
  made.setAttribute("aria-selected", String(isHand(item)));
  if (item.kind === "fold") made.setAttribute("aria-expanded", String(item.open));
  made.append(svg("title", clip(item.kind === "fold" ? `${item.label}: click or Enter ${item.open ? "folds" : "unfolds"}` : spoken(item), 300)));
  return made;
}

/* ---- edges: forward they carry values, backward contributions ---- */

const partOf = (link) => {
  const { entry } = model.nodes[link.node];
  return entry ? entry.in.find((part) => part.input === link.input) || null : null;
};

function drawEdge(edge) {
  edge.route = edge.route || route(edge);
  const step = model.steps[now.step];
  const parts = edge.links.map(partOf).filter(Boolean);
  const back = parts.some((part) => part.step <= now.step);
  const running = (step.kind === "rule" || step.kind === "sum") && edge.links.some((link) => link.node === step.node)
    && (step.kind === "rule" ? parts.length > 0 : parts.includes(step.part));
  const feeding = step.kind === "forward" && edge.links.some((link) => link.node === step.node);
  const made = isMade(edge.tensor);
  const kind = running ? "running" : feeding ? "feeding" : back ? "back" : made ? "made" : "ahead";
  const line = svg("path", { class: `edge ${kind}`, d: edge.route.path, "marker-end": running || back ? null : `url(#tip-${kind})`,
    "marker-start": running || back ? `url(#tip-${kind})` : null });
  if (edge.links.length > 1) line.style.strokeWidth = String(Math.min(4, 1.2 + 0.5 * Math.log2(edge.links.length)));
  return line;
}

/* The number on an edge of the node in hand: the contribution once the rule has run, the value before. */
function edgeLabel(edge) {
  if (!now.hand || now.hand.kind !== "node" || edge.to !== now.hand || edge.links.length > 1) return null;
  const { ruleAt } = model.nodes[edge.to.node], part = partOf(edge.links[0]);
  const [x, y] = edge.route.end, back = part && ruleAt <= now.step;
  if (!back && !isMade(edge.tensor)) return null;
  const value = back ? part.contribution : model.tensors[edge.tensor].value;
  if (!value || value.n !== 1) return null;
  const left = x < edge.to.x + edge.to.w / 2 - 1;
  return label(x + (left ? -7 : 7), y - 10, brief(value, 9), `halo ${back ? "adjoint" : "value"}`, { "text-anchor": left ? "end" : "start" });
}

function tips() {
  const tip = (kind) => svg("marker", { id: `tip-${kind}`, class: `tip ${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7,
    markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" }, svg("path", { d: "M0 0.8L8 4L0 7.2z" }));
  return svg("defs", ["running", "feeding", "back", "made", "ahead"].map(tip));
}

/* ---- the part in view ---- */

/* Lays out what is open now. The drawing has its size before anything scrolls. */
function layOutGraph() {
  layOutScene();
  const drawing = at("drawing");
  drawing.setAttribute("viewBox", `0 0 ${scene.w} ${scene.h}`);
  drawing.setAttribute("width", Math.ceil(scene.w * graph.scale));
  drawing.setAttribute("height", Math.ceil(scene.h * graph.scale));
}

function drawGraph() {
  const view = at("view"), drawing = at("drawing");
  const { scale } = graph, height = view.clientHeight / scale, width = view.clientWidth / scale;
  const top = view.scrollTop / scale - height, bottom = top + 3 * height;
  const left = view.scrollLeft / scale - width, right = left + 3 * width;
  const seen = (y0, y1) => graph.all || (y0 <= bottom && y1 >= top);
  graph.drawn = { top: view.scrollTop, left: view.scrollLeft };
  const boxes = scene.boxes.filter((b) => seen(b.y, b.y + b.h) && (graph.all || (b.x <= right && b.x + b.w >= left)));
  const edges = scene.edges.filter((e) => seen(e.from.y + e.from.h, e.to.y));
  const isFrame = (item) => item.kind === "fold" && item.open;
  const lines = edges.map(drawEdge);
  drawing.replaceChildren(tips(), ...boxes.filter(isFrame).map(drawBox), svg("g", { "aria-hidden": "true" }, lines),
    ...boxes.filter((item) => !isFrame(item)).map(drawBox),
    svg("g", { "aria-hidden": "true" }, edges.map(edgeLabel).filter(Boolean), boxes.filter(isFrame).map(frameLabel)));
  if (now.hand && at(now.hand.id)) drawing.setAttribute("aria-activedescendant", now.hand.id);
  else drawing.removeAttribute("aria-activedescendant");
}

/* Scrolling draws again only near the edge of what was drawn. */
function scrolled() {
  const view = at("view");
  if (Math.abs(view.scrollTop - graph.drawn.top) > view.clientHeight / 2 || Math.abs(view.scrollLeft - graph.drawn.left) > view.clientWidth / 2) drawGraph();
}

/* Moves the view so that the item is in it, and no more than needed. */
function bringIntoView(item, middle) {
  const view = at("view"), { scale } = graph, box = visible(item);
  const h = box.kind === "fold" && box.open ? HEAD : box.h;
  const y = box.y * scale, x = box.x * scale, margin = 24;
  const out = y < view.scrollTop + margin || y + h * scale > view.scrollTop + view.clientHeight - margin;
  if (out || middle) view.scrollTop = y + (h * scale) / 2 - view.clientHeight / 2;
  if (x < view.scrollLeft + margin || x + box.w * scale > view.scrollLeft + view.clientWidth - margin)
    view.scrollLeft = x + (box.w * scale) / 2 - view.clientWidth / 2;
}

/* After folding: the box stays where it was on the screen. */
function toggleFold(fold) {
  const view = at("view"), before = fold.y * graph.scale - view.scrollTop;
  setOpen(fold, !fold.open);
  layOutGraph();
  view.scrollTop = fold.y * graph.scale - before;
  take(fold);
}

function foldAll(open) {
  for (const fold of tree.folds) if (fold !== tree.root) fold.open = open;
  for (const fold of tree.folds) fold.laid = null;
  layOutGraph();
  if (now.hand) bringIntoView(now.hand, true);
  show();
}

function zoom(factor) {
  graph.scale = Math.min(2, Math.max(0.3, graph.scale * factor));
  layOutGraph();
  if (now.hand) bringIntoView(now.hand);
  drawGraph();
}

/* Up and down in the graph: the boxes in the order of the tape, leaves before their first use. */
function moveHand(by) {
  const from = scene.boxes.indexOf(now.hand ? visible(now.hand) : null);
  const next = scene.boxes[Math.min(scene.boxes.length - 1, Math.max(0, from + by))];
  if (next) take(next);
}

function listenToGraph() {
  at("drawing").addEventListener("click", (event) => {
    const box = event.target.closest(".box");
    const item = box && scene.boxes.find((b) => b.id === box.id);
    if (!item) return;
    if (item.kind !== "fold") take(item);
    else if (!item.open || event.target.closest(".grip") || event.target.closest("text")) toggleFold(item);
  });
  at("drawing").addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (move) moveHand(move);
    else if (event.key === "Enter" && now.hand && visible(now.hand).kind === "fold") toggleFold(visible(now.hand));
    else if (event.key === "Enter" && now.hand && now.hand.path.length > 1) toggleFold(now.hand.parent);
    else return;
    event.preventDefault();
  });
  at("view").addEventListener("scroll", () => requestAnimationFrame(scrolled));
  window.addEventListener("resize", () => requestAnimationFrame(drawGraph));
  at("fold-all").addEventListener("click", () => foldAll(false));
  at("unfold-all").addEventListener("click", () => foldAll(true));
  at("larger").addEventListener("click", () => zoom(1.25));
  at("smaller").addEventListener("click", () => zoom(0.8));
}
