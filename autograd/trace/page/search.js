/* Search by op, tensor, group or line. Every word must occur; what is called just so comes first, then what begins so. */

const search = { entries: [], shown: [], active: -1 };

function buildSearch() {
  const add = (kind, text, more, go) => search.entries.push({ kind, text, more, key: `${kind} ${text} ${more}`.toLowerCase(), go });
  for (const fold of tree.folds) if (fold.by === "group") add("group", fold.label, counted(contents(fold).nodes, "node"), () => find(fold));
  model.tensors.forEach((tensor, index) => {
    if (tensor.name && sourceItem(index)) add(tensor.role, tensor.name, shapeText(tensor.shape), () => find(sourceItem(index)));
  });
  model.nodes.forEach((node, index) => add("op", nodeName(index), `${place(index)}${node.group ? ` ${node.group}` : ""}`, () => find(tree.items[index])));
  for (const nodes of model.byLine.values()) {
    const { file, line } = model.nodes[nodes[0]];
    if (place(nodes[0])) add("line", place(nodes[0]), sourceText(file, line), () => chooseLine(file, line));
  }
}

function listFound() {
  const words = at("query").value.toLowerCase().split(/\s+/).filter(Boolean), list = at("found");
  const all = words.length ? search.entries.filter((entry) => words.every((word) => entry.key.includes(word))) : [];
  const whole = words.join(" "), rank = (entry) => (entry.text.toLowerCase() === whole ? 0 : entry.text.toLowerCase().startsWith(whole) ? 1 : 2);
  search.shown = all.sort((a, b) => rank(a) - rank(b)).slice(0, 50);
  search.active = search.shown.length ? 0 : -1;
  const items = search.shown.map((entry, i) => el("li", { id: `found-${i}`, role: "option", click: () => choose(i) },
    el("span.kind", entry.kind), el("span.text", clip(entry.text, 80)), el("span.more", clip(entry.more, 60))));
  if (words.length && !all.length) items.push(el("li.soft", { role: "presentation" }, "Nothing found"));
  if (all.length > 50) items.push(el("li.soft", { role: "presentation" }, `and ${grouped(all.length - 50)} more`));
  list.replaceChildren(...items);
  list.hidden = !words.length;
  at("query").setAttribute("aria-expanded", String(words.length > 0));
  markActive();
}

function markActive() {
  search.shown.forEach((_, i) => at(`found-${i}`).setAttribute("aria-selected", String(i === search.active)));
  if (search.active >= 0) {
    at("query").setAttribute("aria-activedescendant", `found-${search.active}`);
    at(`found-${search.active}`).scrollIntoView({ block: "nearest" });
  } else at("query").removeAttribute("aria-activedescendant");
}

function closeFound() {
  at("found").hidden = true;
  at("query").setAttribute("aria-expanded", "false");
  at("query").removeAttribute("aria-activedescendant");
}

function choose(i) {
  if (!search.shown[i]) return;
  closeFound();
  search.shown[i].go();
}

function listenToSearch() {
  const query = at("query");
  query.addEventListener("input", listFound);
  query.addEventListener("focus", () => query.value && listFound());
  query.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && search.shown.length) search.active = (search.active + by + search.shown.length) % search.shown.length;
    if (by) markActive();
    else if (event.key === "Enter") choose(Math.max(0, search.active));
    else if (event.key === "Escape") closeFound();
    else return;
    event.preventDefault();
  });
  document.addEventListener("pointerdown", (event) => event.target.closest("#find") || closeFound());
}
