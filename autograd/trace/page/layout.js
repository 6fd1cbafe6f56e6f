/* Where boxes stand: layers from top to bottom, within each open fold by itself; an open fold is then one large box of the level above.
 * On a level a tensor that passes layers has one chain of bends, which all its uses share; what enters or leaves the fold has a bend
 * at its upper or lower edge. Order in a layer by the means of neighbours, places by the closest ones that keep order and distance. */

const SIZE = { node: [158, 74], tensor: [152, 54], fold: [196, 58] };
const GAP = 18, RISE = 34, BEND = 10, PAD = 14, HEAD = 26;

const measure = (item) => {
  if (item.kind !== "fold" || !item.open) return SIZE[item.kind];
  const laid = item.laid || layOut(item);
  return [laid.w + 2 * PAD, laid.h + HEAD + PAD];
};

/* ---- layers ---- */

/* A child stands below all that it uses; one that uses nothing of this level, and a leaf, right above its first user. */
function assignLayers(fold, vertex) {
  const flows = [...fold.inside.values()];
  for (const child of fold.children) vertex(child).layer = 0;
  const into = new Map(fold.children.map((child) => [child, []]));
  for (const flow of flows)
    for (const to of flow.to) if (to && flow.from && flow.from.kind !== "tensor") into.get(to).push(flow.from);
  for (const child of fold.children)
    for (const from of into.get(child)) vertex(child).layer = Math.max(vertex(child).layer, vertex(from).layer + 1);
  const firstUse = (from) => {
    const users = flows.filter((flow) => flow.from === from).flatMap((flow) => [...flow.to].filter(Boolean));
    return Math.min(...users.map((to) => vertex(to).layer));
  };
  for (let i = fold.children.length - 1; i >= 0; i--) {
    const child = fold.children[i];
    if (into.get(child).length > 0) continue;
    const use = firstUse(child);
    if (Number.isFinite(use)) vertex(child).layer = Math.max(0, use - 1);
  }
  for (const leaf of fold.leaves) vertex(leaf).layer = firstUse(leaf) - 1;
}

/* Rows of vertices, at first in the order of the inputs that they feed, with the ends of what enters above and of what leaves below the
 * boxes; and a chain for each tensor that flows. */
function makeRows(fold) {
  const vertices = new Map();
  const vertex = (item) => {
    if (!vertices.has(item)) {
      const [w, h] = measure(item);
      vertices.set(item, { item, w, h, x: 0, layer: 0, rank: 0, ups: [], downs: [] });
    }
    return vertices.get(item);
  };
  assignLayers(fold, vertex);
  for (const leaf of fold.leaves) vertex(leaf);
  const all = [...fold.leaves, ...fold.children].map(vertex);
  const top = Math.min(...all.map((v) => v.layer)) - 1, bottom = Math.max(...all.map((v) => v.layer)) + 1;
  const rows = Array.from({ length: bottom - top + 1 }, () => []);
  for (const v of all) rows[(v.layer -= top)].push(v);
  const chains = new Map();
  for (const [tensor, flow] of fold.inside) chains.set(tensor, makeChain(flow, rows, vertex));
  for (const row of rows) row.sort((a, b) => a.rank - b.rank);
  return { rows, chains, vertices };
}

function makeChain(flow, rows, vertex) {
  const bend = (layer) => {
    const made = { item: null, w: BEND, h: 0, x: 0, layer, rank: flow.input, ups: [], downs: [] };
    rows[layer].push(made);
    return made;
  };
  const join = (up, down) => (up.downs.push(down), down.ups.push(up));
  const ends = [...flow.to].filter(Boolean).map(vertex);
  const source = flow.from ? vertex(flow.from) : bend(0);
  if (flow.from && flow.to.size === 1) source.rank = flow.input;
  const leaves = flow.to.has(null), last = rows.length - 1;
  const deepest = leaves ? last : Math.max(...ends.map((v) => v.layer)) - 1;
  const chain = { source, bends: [] };
  let above = source;
  for (let layer = source.layer + 1; layer <= deepest; layer++) {
    const next = bend(layer);
    join(above, next);
    chain.bends[layer] = above = next;
  }
  for (const v of ends) join(chain.bends[v.layer - 1] || source, v);
  return chain;
}

/* ---- order and places in the layers ---- */

const meanOf = (list, of) => list.reduce((sum, v) => sum + of(v), 0) / list.length;

function orderRows(rows, sweeps) {
  const number = (row) => row.forEach((v, i) => (v.order = row.length > 1 ? i / (row.length - 1) : 0.5));
  rows.forEach(number);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) {
      for (const v of row) {
        const near = down ? v.ups : v.downs;
        v.wish = near.length ? meanOf(near, (u) => u.order) : v.order;
      }
      row.sort((a, b) => a.wish - b.wish);
      number(row);
    }
  }
}

/* The places closest to the wishes, in least squares, that keep the order and the gaps: neighbours that would come too close become a
 * block at their mean wish (pool adjacent violators). */
function settle(row) {
  let offset = 0;
  const blocks = [];
  row.forEach((v, i) => {
    if (i > 0) offset += (row[i - 1].w + v.w) / 2 + GAP;
    v.offset = offset;
    let block = { sum: v.wish - offset, count: 1, from: i };
    while (blocks.length && blocks[blocks.length - 1].sum / blocks[blocks.length - 1].count >= block.sum / block.count) {
      const before = blocks.pop();
      block = { sum: before.sum + block.sum, count: before.count + block.count, from: before.from };
    }
    blocks.push(block);
  });
  blocks.forEach((block, b) => {
    const end = b + 1 < blocks.length ? blocks[b + 1].from : row.length;
    for (let i = block.from; i < end; i++) row[i].x = block.sum / block.count + row[i].offset;
  });
}

/* Back and forth towards the neighbours; at last what has one neighbour above, and is its only one below, stands right under it. */
function placeRows(rows, passes) {
  for (const row of rows) {
    row.forEach((v) => (v.wish = 0));
    settle(row);
  }
  for (let pass = 0; pass < passes; pass++) {
    const down = pass % 2 === 0, both = pass >= passes - 2;
    for (const row of down ? rows : [...rows].reverse()) {
      for (const v of row) {
        const near = both ? v.ups.concat(v.downs) : down ? v.ups : v.downs;
        v.wish = near.length ? meanOf(near, (u) => u.x) : v.x;
      }
      settle(row);
    }
  }
  const only = (v) => (v.ups.length === 1 && v.ups[0].downs.length === 1 ? v.ups[0] : v);
  for (const row of rows) {
    for (const v of row) v.wish = only(v).x;
    settle(row);
  }
}

/* Lays out one open fold. Places are relative to its inner corner; item.spot has the box, layers the height of each layer. */
function layOut(fold) {
  const { rows, chains, vertices } = makeRows(fold);
  const many = rows.reduce((n, row) => n + row.length, 0) > 600;
  orderRows(rows, many ? 2 : 6);
  placeRows(rows, many ? 4 : 16);
  let left = Infinity, right = -Infinity, y = 0;
  for (const row of rows)
    for (const v of row) (left = Math.min(left, v.x - v.w / 2)), (right = Math.max(right, v.x + v.w / 2));
  const space = (layer) => {
    const below = rows[layer + 1];
    if (!below || !below.length || !rows[layer].length) return 0;
    return layer === 0 || layer === rows.length - 2 ? RISE * 0.45 : RISE;
  };
  const layers = rows.map((row, layer) => {
    const made = { y, h: Math.max(0, ...row.map((v) => v.h)) };
    y += made.h + space(layer);
    return made;
  });
  for (const row of rows) for (const v of row) (v.x -= left), (v.y = layers[v.layer].y + (layers[v.layer].h - v.h) / 2);
  fold.laid = { w: right - left, h: y, layers, chains, vertices };
  return fold.laid;
}

/* ---- the whole picture ---- */

const scene = { w: 0, h: 0, boxes: [], edges: [] };

function placeFold(fold, x, y) {
  Object.assign(fold, { innerX: x, innerY: y });
  const before = new Map();
  for (const leaf of fold.leaves) {
    const user = fold.children.find((child) => child.from <= leaf.from && leaf.from <= child.to);
    if (!before.has(user)) before.set(user, []);
    before.get(user).push(leaf);
  }
  for (const child of fold.children) {
    for (const item of [...(before.get(child) || []), child]) {
      const v = fold.laid.vertices.get(item);
      Object.assign(item, { x: x + v.x - v.w / 2, y: y + v.y, w: v.w, h: v.h });
      scene.boxes.push(item);
      if (item.kind === "fold" && item.open) placeFold(item, item.x + PAD, item.y + HEAD);
    }
  }
}

/* The bends of a tensor's chain in an open fold, as places in the picture; from the source, or from where it enters, to above `to`. */
function bendsIn(fold, tensor, to) {
  const { chains, layers, vertices } = fold.laid, chain = chains.get(tensor), points = [];
  const end = to ? vertices.get(to).layer - 1 : layers.length - 1;
  if (!chain.source.item) points.push([fold.innerX + chain.source.x, fold.innerY - HEAD, fold.innerY]);
  for (let layer = chain.source.layer + 1; layer <= end; layer++) {
    const { x } = chain.bends[layer], { y, h } = layers[layer];
    points.push([fold.innerX + x, fold.innerY + y, fold.innerY + y + h + (layer === layers.length - 1 ? PAD : 0)]);
  }
  return points;
}

/* From the lower edge of `from` to the upper edge of `to`, at the port of the input; every bend is a short vertical stretch. */
function route(edge) {
  const { from, to, tensor } = edge, a = [...from.path, from], b = [...to.path, to], common = commonDepth(from.path, to.path);
  const bends = [];
  for (let d = from.path.length - 1; d >= common; d--) bends.push(...bendsIn(a[d], tensor, null));
  bends.push(...bendsIn(a[common - 1], tensor, b[common]));
  for (let d = common; d < to.path.length; d++) bends.push(...bendsIn(b[d], tensor, b[d + 1]));
  const ports = to.kind === "node" ? model.nodes[to.node].in.length : 1;
  const port = to.kind === "node" ? (edge.input + 1) / (ports + 1) : 0.5;
  const end = [to.x + to.w * (ports === 1 ? 0.5 : 0.15 + 0.7 * port), to.y];
  let x = from.x + from.w / 2, y = from.y + from.h;
  let path = `M${x.toFixed(1)} ${y.toFixed(1)}`;
  for (const [bx, upper, lower] of [...bends, [...end, end[1]]]) {
    const middle = (y + upper) / 2;
    path += `C${x.toFixed(1)} ${middle.toFixed(1)} ${bx.toFixed(1)} ${middle.toFixed(1)} ${bx.toFixed(1)} ${upper.toFixed(1)}`;
    if (lower > upper) path += `V${lower.toFixed(1)}`;
    (x = bx), (y = lower);
  }
  return { path, end };
}

/* One edge for each input of a node that is shown, and one for all that passes between two boxes of which the lower is a fold. */
function joinBoxes() {
  const edges = new Map();
  for (const link of tree.links) {
    const from = visible(link.from), to = visible(link.to);
    if (from === to) continue;
    const key = to.kind === "node" ? `${from.id} ${to.id} ${link.input}` : `${from.id} ${to.id}`;
    const known = edges.get(key);
    if (known) known.links.push(link);
    else edges.set(key, { from, to, tensor: link.tensor, input: link.input, links: [link], route: null, id: key });
  }
  scene.edges = [...edges.values()];
}

function layOutScene() {
  scene.boxes = [];
  if (!tree.root) return;
  const laid = tree.root.laid || layOut(tree.root);
  Object.assign(scene, { w: laid.w + 2 * PAD, h: laid.h + 2 * PAD });
  placeFold(tree.root, PAD, PAD);
  joinBoxes();
}
