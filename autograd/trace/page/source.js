/* The program's own lines. A line that made nodes is a button that takes them in hand. */

const source = { buttons: [], marked: null };

/* Lines of the trace, and those that nodes name although their text is not there. */
function linesOf(file) {
  const lines = new Map((model.sources[file].lines || []).map(([number, text]) => [number, text]));
  for (const node of model.nodes) if (node.file === file && !lines.has(node.line)) lines.set(node.line, null);
  return [...lines].sort((a, b) => a[0] - b[0]);
}

function sourceLine(file, number, text) {
  const nodes = model.byLine.get(`${file}:${number}`), code = text === null ? "(its text is not there)" : text || " ";
  const item = el("li", { id: `line-${file}-${number}`, class: nodes ? "made" : null }, el("span.no", { "aria-hidden": "true" }, String(number)),
    el("span.count", { "aria-hidden": "true" }, nodes && nodes.length > 1 ? `${grouped(nodes.length)}×` : ""));
  if (!nodes) return (item.append(el("span.code", code)), item);
  const button = el("button.code", { tabindex: "-1", click: () => chooseLine(file, number),
    "aria-label": `line ${number}, ${counted(nodes.length, "node")}: ${clip(code.trim(), 300)}` }, code);
  source.buttons.push(button);
  item.append(button);
  return item;
}

function buildSource() {
  const box = at("lines");
  model.sources.forEach((file, index) => {
    const list = el("ol");
    let before = null;
    for (const [number, text] of linesOf(index)) {
      if (before !== null && number > before + 1) list.append(el("li.gap", { "aria-hidden": "true" }, "⋮"));
      list.append(sourceLine(index, number, text));
      before = number;
    }
    box.append(el("h3", file.file), file.found === false ? soft("The file was not found when the trace was written.") : "", list);
  });
  if (!model.sources.length) box.append(soft("The trace has no source lines."));
  if (source.buttons.length) source.buttons[0].tabIndex = 0;
  box.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key], from = source.buttons.indexOf(document.activeElement);
    if (!by || from < 0) return;
    event.preventDefault();
    (source.buttons[from + by] || source.buttons[from]).focus();
  });
}

/* Takes all nodes of a line; again, the next of them. */
function chooseLine(file, number) {
  const nodes = model.byLine.get(`${file}:${number}`) || [];
  if (!nodes.length) return;
  const from = now.hand && now.hand.kind === "node" ? nodes.indexOf(now.hand.node) : -1;
  const again = now.chosen.size > 0 && now.chosen.has(nodes[0]);
  now.chosen = new Set(nodes);
  take(tree.items[nodes[again ? (from + 1) % nodes.length : Math.max(0, from)]]);
}

/* Marks the line of what is in hand, and brings it into view within its panel. */
function markLine() {
  const { hand } = now, node = hand && hand.kind !== "tensor" ? model.nodes[hand.from] : null;
  const item = node && at(`line-${node.file}-${node.line}`), box = at("lines");
  if (item === source.marked) return;
  if (source.marked) source.marked.classList.remove("marked");
  source.marked = item;
  if (!item) return;
  item.classList.add("marked");
  const button = item.querySelector("button");
  if (button) {
    for (const other of source.buttons) if (other.tabIndex === 0) other.tabIndex = -1;
    button.tabIndex = 0;
  }
  const top = item.getBoundingClientRect().top - box.getBoundingClientRect().top;
  if (top < 24 || top > box.clientHeight - 48) box.scrollTop += top - box.clientHeight / 2;
}
