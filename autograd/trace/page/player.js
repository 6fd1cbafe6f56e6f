/* The steps, the keys, and the start of the page. */

/* Everything that hangs on the step and on what is in hand. */
function show() {
  const step = model.steps[now.step], last = model.steps.length - 1, held = model.held[now.step];
  const end = now.step === last && last > 0 ? " This is the end." : "";
  at("scrub").value = now.step;
  at("scrub").setAttribute("aria-valuetext", `step ${now.step} of ${last}: ${step.kind}`);
  at("step").replaceChildren(el("b", `${now.step} / ${last} `), `${describeStep(step)}${end} `,
    el("span.soft", held.tensors ? `Saved: ${counted(held.tensors, "tensor")}, ${counted(held.total, "element")}.` : "Nothing is saved."));
  at("back").disabled = at("first").disabled = now.step === 0;
  at("forth").disabled = at("last").disabled = now.step === last;
  document.body.classList.toggle("backward-now", now.step > model.seedAt);
  drawGraph();
  showCrumbs();
  showHand();
  markLine();
}

/* The open folds around what is in hand: each closes at a click. */
function showCrumbs() {
  const path = now.hand ? now.hand.path.filter((fold) => fold !== tree.root && fold.open).slice(-2) : [];
  at("crumbs").replaceChildren(...path.map((fold) =>
    el("button", { click: () => toggleFold(fold), title: `Fold ${clip(fold.label, 80)}` }, `▾ ${clip(fold.label, 24)}`)));
}

/* Takes an item in hand. */
function take(item) {
  if (item.kind !== "node" || !now.chosen.has(item.node)) now.chosen = new Set();
  if (now.hand !== item) now.element = 0;
  now.hand = item;
  bringIntoView(item);
  show();
}

/* Takes an item that may be folded away: its folds open. */
function find(item) {
  if (item.path.some((fold) => !fold.open)) {
    reveal(item);
    layOutGraph();
    bringIntoView(item, true);
  }
  take(item);
}

/* Goes to a step, and takes its node in hand, folded away or not. */
function goTo(step) {
  now.step = Math.min(model.steps.length - 1, Math.max(0, step));
  const { node } = model.steps[now.step];
  if (node !== undefined && node >= 0) take(tree.items[node]);
  else show();
}

/* ---- play and pause ---- */

function pause() {
  clearTimeout(now.playing);
  now.playing = null;
  at("play").textContent = "Play";
}

function playOn() {
  if (now.step >= model.steps.length - 1) return pause();
  goTo(now.step + 1);
  now.playing = setTimeout(playOn, Number(at("speed").value));
}

function play() {
  if (now.playing !== null) return pause();
  if (now.step >= model.steps.length - 1) goTo(0);
  at("play").textContent = "Pause";
  now.playing = setTimeout(playOn, Number(at("speed").value));
}

/* ---- keys ---- */

const steps = (by) => () => (pause(), goTo(now.step + by));
const KEYS = [
  ["ArrowRight", "→", "one step on (with Shift: ten)", steps(1)], ["ArrowLeft", "←", "one step back (with Shift: ten)", steps(-1)],
  ["Home", "Home", "the start", () => (pause(), goTo(0))], ["End", "End", "the end", () => (pause(), goTo(1e9))],
  ["s", "s", "the seed, where forward ends and backward begins", () => (pause(), goTo(model.seedAt))],
  [" ", "Space", "play or pause", play],
  ["n", "n", "of the node in hand: from the step that made it to the step of its rule, and back", () => switchSide()],
  ["/", "/", "search (arrows and Enter choose, Esc closes)", () => at("query").focus()],
  ["g", "g", "to the graph; there ↑ and ↓ choose a box, Page Up and Page Down ten on", () => at("drawing").focus()],
  ["Enter", "Enter", "in the graph: fold and unfold", null],
  ["p", "p", "to the program; there ↑ and ↓ choose a line, Enter takes its nodes",
    () => source.buttons.length && source.buttons.find((b) => b.tabIndex === 0).focus()],
  ["h", "h", "to the node in hand", () => at("hand").focus()],
  ["f", "f", "fold all", () => foldAll(false)], ["u", "u", "unfold all", () => foldAll(true)],
  ["+", "+", "larger", () => zoom(1.25)], ["-", "-", "smaller", () => zoom(0.8)],
  ["?", "?", "this help", () => at("help").showModal()],
];

function switchSide() {
  if (!now.hand || now.hand.kind !== "node") return;
  const { node } = now.hand, { ruleAt } = model.nodes[node];
  goTo(now.step < (ruleAt || Infinity) && ruleAt ? ruleAt : node + 1);
}

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || at("help").open) return;
    const { target } = event, writes = target.matches("input:not([type=range]), select");
    const presses = event.key === " " && target.closest("button, summary, a");
    if (writes || presses) return;
    const key = KEYS.find(([name]) => name === event.key);
    if (!key || !key[3]) return;
    event.preventDefault();
    if (event.shiftKey && event.key === "ArrowRight") steps(10)();
    else if (event.shiftKey && event.key === "ArrowLeft") steps(-10)();
    else key[3]();
  });
}

function listenToPlayer() {
  const on = (id, go) => at(id).addEventListener("click", go);
  on("first", () => (pause(), goTo(0)));
  on("last", () => (pause(), goTo(1e9)));
  on("back", steps(-1));
  on("forth", steps(1));
  on("play", play);
  on("help-open", () => at("help").showModal());
  at("scrub").addEventListener("input", () => (pause(), goTo(Number(at("scrub").value))));
  at("keys").append(...KEYS.map(([, key, what]) => el("div", el("dt", el("kbd", key)), el("dd", what))));
  window.addEventListener("beforeprint", () => ((graph.all = scene.boxes.length < 2000), drawGraph()));
  window.addEventListener("afterprint", () => ((graph.all = false), drawGraph()));
}

/* ---- the start ---- */

function describeTrace() {
  const { title } = model.json, parameters = model.tensors.filter((t) => t.role === "parameter").length;
  document.title = `${title || "trace"}: trace`;
  at("title").textContent = title || "Trace";
  at("summary").textContent = `${counted(model.nodes.length, "node")}, ${counted(parameters, "parameter")}`
    + (model.seed && model.seed.tensor >= 0 ? `, ${clip(tensorName(model.seed.tensor), 40)} = ${brief(model.tensors[model.seed.tensor].value)}` : "");
  const last = model.steps.length - 1;
  at("scrub").max = last;
  at("phase-forward").style.flexGrow = model.seedAt;
  at("phase-backward").style.flexGrow = Math.max(1, last - model.seedAt);
}

/* The page opens at the end, where everything is there, with the loss in hand. */
function start() {
  try {
    openTrace(at("trace").textContent);
  } catch (error) {
    at("trouble").hidden = false;
    at("trouble").textContent = `The trace cannot be read: ${error.message}`;
    return;
  }
  buildTree();
  buildSource();
  buildSearch();
  describeTrace();
  listenToGraph();
  listenToSearch();
  listenToPlayer();
  listenToKeys();
  layOutGraph();
  graph.scale = Math.min(1, Math.max(0.8, (at("view").clientWidth - 20) / scene.w));
  layOutGraph();
  buildLessons();
  now.step = model.steps.length - 1;
  const loss = model.seed ? sourceItem(model.seed.tensor) : model.nodes.length ? tree.items[model.nodes.length - 1] : null;
  if (loss) now.hand = loss;
  else if (!model.nodes.length) at("trouble").hidden = false, (at("trouble").textContent = "The tape is empty: there is nothing to show.");
  show();
}

start();
