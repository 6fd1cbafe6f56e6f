#!/bin/sh
# Drives the page of a trace in a real browser, Debian's chromium, by the WebDriver protocol of its chromedriver: steps, keys, folds, search, what
# the panel says, hostile names, no error on the console and no request but for the file itself. Prints how long a large trace takes
# to open and to fold. Where chromium, chromedriver, curl or jq is not installed, and in CI, it says so and skips (exit status 77).
# usage: page.sh [PAGE.html ..]   pages that the library wrote, which are stepped and folded too
set -eu
here=$(cd "$(dirname "$0")" && pwd)
parts=$here/../../../../autograd/trace/page
[ "${CI-}" != true ] || { echo 'in CI: the page was not opened in a browser' && exit 77; }
for program in chromium chromedriver curl jq; do
    command -v "$program" >/dev/null 2>&1 || { echo "$program is not installed: the page was not opened in a browser" && exit 77; }
done
folder=$(mktemp -d)
driver=
stop() {
    [ -z "${session-}" ] || curl -s -X DELETE "$session" >/dev/null || true
    [ -z "$driver" ] || kill "$driver" 2>/dev/null || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' INT TERM

# page JSON HTML: the page as the library writes it.
page() {
    awk -f "$parts/page.awk" "$parts/page.html" | awk -v json="$1" '
        /^<!-- trace -->$/ { while ((getline line < json) > 0) { gsub(/</, "\\u003c", line); print line } next } { print }' >"$2"
}

# ---- the WebDriver protocol ----

# ask METHOD PATH [BODY]: the value of the answer, as JSON.
ask() {
    curl -s -X "$1" "$session$2" ${3+-H 'Content-Type: application/json' --data-binary "$3"} | jq -c .value
}

# run CODE: what the code returns, as JSON.
run() { ask POST /execute/sync "$(jq -n --arg code "$1" '{script: $code, args: []}')"; }

# press KEY..: keys of the keyboard, one after the other; those without a letter as the protocol numbers them.
press() {
    for key in "$@"; do
        case $key in
        Right) key='\ue014' ;; Left) key='\ue012' ;; Up) key='\ue013' ;; Down) key='\ue015' ;; Home) key='\ue011' ;; End) key='\ue010' ;;
        Enter) key='\ue007' ;; Escape) key='\ue00c' ;; Tab) key='\ue004' ;; Space) key=' ' ;;
        esac
        ask POST /actions "{\"actions\": [{\"type\": \"key\", \"id\": \"keys\", \"actions\": [{\"type\": \"keyDown\", \"value\": \"$key\"}, {\"type\": \"keyUp\", \"value\": \"$key\"}]}]}" >/dev/null
    done
}

# click SELECTOR
click() {
    element=$(ask POST /element "$(jq -n --arg css "$1" '{using: "css selector", value: $css}')" | jq -r '.[]?' 2>/dev/null | head -n 1)
    [ "$(ask POST "/element/$element/click" '{}')" = null ] || echo "   (no click on $1)"
}

window() { ask POST /goog/cdp/execute "{\"cmd\": \"Emulation.setDeviceMetricsOverride\", \"params\": {\"width\": $1, \"height\": 900, \"deviceScaleFactor\": 1, \"mobile\": false}}" >/dev/null; }

open() { [ "$(ask POST /url "{\"url\": \"file://$1\"}")" = null ] || echo "   ($1 does not open)"; }

# ---- what is expected ----

passed=0
failed=0
# expect WHAT WANTED CODE: the code returns this, as JSON.
expect() {
    got=$(run "$3")
    if [ "$got" = "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'not ok: %s\n   wanted %s\n   got    %s\n' "$1" "$2" "$got"
    fi
}

# No message on the console; and of the network's events since the last time none asks for anything but files and data.
quiet() {
    messages=$(ask POST /se/log '{"type": "browser"}')
    asked=$(ask POST /se/log '{"type": "performance"}' | jq -c '[.[].message | fromjson.message | select(.method == "Network.requestWillBeSent") | .params.request.url
        | select(test("^(file|data):") | not)]')
    if [ "$messages" = '[]' ] && [ "$asked" = '[]' ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'not ok: %s\n   console: %s\n   requests: %s\n' "$1" "$messages" "$asked"
    fi
    expect "$1: no resource" 0 'return performance.getEntriesByType("resource").length'
}

begin() {
    : >"$folder/driver"
    chromedriver --port=0 >"$folder/driver" 2>&1 &
    driver=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        port=$(sed -n 's/.*started successfully on port \([0-9]*\).*/\1/p' "$folder/driver")
        [ -z "$port" ] || break
        sleep 0.5
    done
    [ -n "$port" ] || { cat "$folder/driver" && echo 'chromedriver does not start' && exit 1; }
    sandbox=
    [ "$(id -u)" != 0 ] || sandbox='"--no-sandbox", '
    server=http://127.0.0.1:$port/session
    session=$server
    made=$(ask POST '' "{\"capabilities\": {\"alwaysMatch\": {\"browserName\": \"chrome\", \"goog:loggingPrefs\": {\"browser\": \"ALL\", \"performance\": \"ALL\"},
        \"goog:chromeOptions\": {\"args\": [$sandbox\"--headless=new\", \"--disable-gpu\", \"--window-size=1400,900\"]}}}}")
    session=$server/$(printf %s "$made" | jq -r '.sessionId // empty')
    [ "$session" != "$server/" ] || { session='' && printf '%s\nchromium does not start\n' "$made" && exit 1; }
}

step='return document.getElementById("step").textContent'
hand='return document.querySelector("#hand h2").textContent'

# b = a + a; c = b + b, every step of it.
small() {
    page "$here/order.json" "$folder/order.html"
    open "$folder/order.html"
    window 1400
    expect 'it opens at the end' '"9"' 'return document.getElementById("scrub").value'
    expect 'with the loss in hand' '"add #1"' "$hand"
    expect 'the formula with numbers' true 'return document.getElementById("hand").textContent.includes("= 6 + 6 = 12")'
    press Home
    expect 'Home goes to the start' '"0 / 9 Start: there are parameters and inputs, and nothing else. Nothing is saved."' "$step"
    expect 'where b is not made' 0 'return document.querySelectorAll("#drawing #n0 .value").length'
    press Right
    expect 'a step on makes b' '"1 / 9 Forward: add #0 makes b = 6. Nothing is saved."' "$step"
    expect 'and its box says so' '"6"' 'return document.querySelector("#drawing #n0 .value").textContent'
    expect 'its line is marked' '"line-0-5"' 'return document.querySelector("#lines .marked").id'
    press Right Right
    expect 'the seed' '"3 / 9 Seed: d c / d c = 1. From here on backward. Nothing is saved."' "$step"
    press Right
    expect 'the rule, before anything is added' '"4 / 9 Backward: add #1 runs its rule: 2 contributions, not yet added. Nothing is saved."' "$step"
    press Right Right
    expect 'a sum' '"6 / 9 Backward: add #1 gives b the contribution 1: 1 + 1 = 2. Nothing is saved."' "$step"
    expect 'in the panel too' true 'return document.getElementById("hand").textContent.includes("1 + 1 = 2")'
    expect 'b has its gradient' '"∂ 2"' 'return document.querySelector("#drawing #n0 .adjoint").textContent'
    press Left
    expect 'a step back takes it away' '"∂ 1 …"' 'return document.querySelector("#drawing #n0 .adjoint").textContent'
    press End
    click '#drawing #t0'
    expect 'a click takes a parameter' '"a"' "$hand"
    expect 'each path with its share' '["add #0 a250 %","add #0 b250 %","sum4"]' 'return [...document.querySelectorAll("#hand .paths tbody tr")].map((r) => r.textContent)'
    click '#line-0-6 button'
    expect 'a click on a line takes its node' '"add #1"' "$hand"
    expect 'wrong order: where it first differs' true 'return document.querySelector("#order-wrong .differs").textContent.includes("runs again")'
    expect 'wrong order: the gradients' '"a48"' 'return document.querySelector("#orders .leaves tbody tr").textContent'
    click '#order-first'
    click '#order-forth'
    expect 'wrong order: step by step' '"1 of 3 steps"' 'return document.getElementById("order-step").textContent'
    expect 'twice' '"a48"' 'return document.querySelector("#twice tbody tr").textContent'
    quiet 'the small page'
}

# All by keyboard, from search to folds.
keyboard() {
    press /
    expect '/ goes to the search' '"query"' 'return document.activeElement.id'
    press a d d
    expect 'it lists what it finds' '["add #0","add #1"]' 'return [...document.querySelectorAll("#found .text")].map((t) => t.textContent).filter((t) => t.startsWith("add"))'
    press Enter
    expect 'Enter chooses' '["add #0",true]' 'return [document.querySelector("#hand h2").textContent, document.getElementById("found").hidden]'
    run 'document.activeElement.blur()' >/dev/null
    press g
    expect 'g goes to the graph' '"drawing"' 'return document.activeElement.id'
    press Down
    expect 'down takes the next box' '["add #1","n1"]' 'return [document.querySelector("#hand h2").textContent, document.getElementById("drawing").getAttribute("aria-activedescendant")]'
    press '?'
    expect '? opens the help' true 'return document.getElementById("help").open'
    press Escape
    expect 'Escape closes it' false 'return document.getElementById("help").open'
    press Home Space
    expect 'Space plays' '"Pause"' 'return document.getElementById("play").textContent'
    press Space
    expect 'and pauses' '"Play"' 'return document.getElementById("play").textContent'
    expect 'everything that can be pressed has a name' 0 'return [...document.querySelectorAll("button, input, select, [role=treeitem], [role=img]")]
        .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || (e.labels && e.labels.length))).length'
    quiet 'the keyboard'
}

# 400 pixels: the panels stand below each other, and nothing but their insides is wider than the window.
narrow() {
    window 400
    expect 'no wider than 400 pixels' true 'return document.documentElement.scrollWidth <= 400'
    expect 'program, graph and node below each other' true 'const tops = ["source", "graph", "hand"].map((id) => document.getElementById(id).getBoundingClientRect().top);
        return tops[0] < tops[1] && tops[1] < tops[2]'
    window 1400
    quiet 'the narrow page'
}

# Names and lines that would be HTML, if they were read as such.
hostile() {
    jq -c '.title = "</title></script><script>window.bad = 1</script>" | .tensors[0].name = "<img src=x onerror=window.bad=1>\"'"'"'äß漢🙂"
        | .tensors[1].name = ([range(10000) | "x"] | add) | .sources[0].lines[4][1] = "    // </script><svg onload=window.bad=1> " + ([range(10000) | "y"] | add)
        | .ops[0].formula = "out = <b>a</b> + b" | .tensors[2].name = "__proto__"' "$here/order.json" >"$folder/hostile.json"
    page "$folder/hostile.json" "$folder/hostile.html"
    open "$folder/hostile.html"
    expect 'the title is text' '"</title></script><script>window.bad = 1</script>"' 'return document.getElementById("title").textContent'
    press Home Right Right Right Right Right End
    click '#drawing #t0'
    expect 'so is a name' '"<img src=x onerror=window.bad=1>\"'"'"'äß漢🙂"' "$hand"
    expect 'nothing of it became an element' '[null,0,0]' 'return [window.bad, document.images.length, document.querySelectorAll("#hand b > b, svg[onload]").length]'
    expect 'long names do not widen the page' true 'return document.documentElement.scrollWidth <= 1400'
    quiet 'the hostile page'
    printf 'no JSON' >"$folder/broken.json"
    page "$folder/broken.json" "$folder/broken.html"
    open "$folder/broken.html"
    expect 'a trace that cannot be read: a message' true 'const p = document.getElementById("trouble"); return !p.hidden && p.textContent.startsWith("The trace cannot be read")'
    quiet 'the broken page'
}

# Steps, folds and searches a page, whatever it holds. Times are of the script and the layout of the page, in ms.
exercise='
    const time = (go) => { const from = performance.now(); go(); document.body.offsetHeight; return performance.now() - from; };
    const opened = performance.getEntriesByType("navigation")[0].loadEventEnd, last = model.steps.length - 1;
    let unfold = 0, fold = 0, step = 0;
    const shut = () => tree.folds.find((f) => f !== tree.root && !f.open && f.path.every((p) => p.open));
    const unfoldSome = () => { for (let i = 0, f; i < 40 && (f = shut()); i++) unfold = Math.max(unfold, time(() => toggleFold(f))); };
    unfoldSome();
    const open = tree.folds.filter((f) => f !== tree.root && f.open && f.path.every((p) => p.open)).reverse();
    for (const f of open.slice(0, 40)) fold = Math.max(fold, time(() => toggleFold(f)));
    unfoldSome();
    for (let i = 0; i <= 60; i++) step = Math.max(step, time(() => goTo(Math.round((i * last) / 60))));
    const all = time(() => foldAll(true)), boxes = scene.boxes.length, drawn = document.querySelectorAll("#drawing .box").length;
    foldAll(false);
    at("query").value = model.ops[0].name;
    const find = time(listFound);
    closeFound();
    return { nodes: model.nodes.length, opened, unfold, fold, step, all, find, boxes, drawn };'

measure() {
    open "$2"
    figures=$(run "$exercise")
    printf '%s: %s bytes, %s\n' "$1" "$(wc -c <"$2")" "$(printf %s "$figures" | jq -r '"\(.nodes) nodes; usable after \(.opened | round) ms; the slowest unfold \(.unfold | round) ms, fold \(.fold | round) ms, step \(.step | round) ms; all unfolded in \(.all | round) ms, \(.drawn) of \(.boxes) boxes drawn; a search \(.find | round) ms"' 2>&1 || echo "$figures")"
    # Far above what is measured on a quiet machine: what is caught is work that grows with the size of the graph.
    expect "$1: opens and folds in time" true "const f = $figures; return f.opened < 10000 && f.unfold < 1000 && f.fold < 1000 && (f.boxes < 200 || f.drawn < 200)"
    quiet "$1"
}

# Folds by mouse, by keyboard, and by a search for what is folded away.
folding() {
    open "$folder/large.html"
    expect 'a large program is folded at first' '["▸ blocks"]' 'return [...document.querySelectorAll("#drawing .fold .op")].map((label) => label.textContent)'
    click '#drawing .fold'
    expect 'a click unfolds' true 'return document.querySelectorAll("#drawing .frame[aria-expanded=true]").length === 1 && document.querySelectorAll("#drawing .fold[aria-expanded=false]").length > 1'
    press g Enter
    expect 'Enter folds it again' '[0,1]' 'return [document.querySelectorAll("#drawing .frame").length, document.querySelectorAll("#drawing .fold").length]'
    press / b l o c k s . 7 . m l p
    expect 'search by group' '"blocks.7.mlp"' 'return document.querySelector("#found .text").textContent'
    press Enter
    expect 'what is found is unfolded to' '["blocks.7.mlp",true,true]' 'const fold = tree.folds.find((f) => f.label === "blocks.7.mlp"), box = document.getElementById(fold.id).getBoundingClientRect(),
        view = document.getElementById("view").getBoundingClientRect();
        return [document.querySelector("#hand h2").textContent, document.getElementById("drawing").getAttribute("aria-activedescendant") === fold.id, box.top >= view.top && box.top < view.bottom]'
    quiet 'folds'
}

begin
small
keyboard
narrow
hostile
awk -f "$here/large.awk" >"$folder/large.json"
page "$folder/large.json" "$folder/large.html"
folding
measure large "$folder/large.html"
for written in "$@"; do measure "$(basename "$written")" "$(cd "$(dirname "$written")" && pwd)/$(basename "$written")"; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
