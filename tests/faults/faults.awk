# Reads lists of faults (tests/faults/*.def; docs/testing.md has the format) and
#   mode=list    prints one line a fault: name, file, suites, "equivalent" or "-", what it does
#   mode=check   finds each old text in its file; the exit status is 1 where it does not stand there exactly once
#   mode=plant   prints the file of fault `name` with the fault in it
# root is the folder that the files' names begin at.
BEGIN { OFS = "\t" }

FNR == 1 {
    finish()
    area = FILENAME
    sub(/.*\//, "", area)
    sub(/\.def$/, "", area)
    number = 0
    file = suites = ""
}
/^#/ || /^$/ { next }
/^= / {
    finish()
    file = $2
    suites = $0
    sub(/^= [^ ]+ */, "", suites)
    next
}
/^\* / {
    finish()
    open = 1
    number++
    what = substr($0, 3)
    from = to = reason = ""
    n_from = n_to = 0
    next
}
/^- / || /^-$/ { from = from (n_from++ ? "\n" : "") substr($0, 3); next }
/^\+ / || /^\+$/ { to = to (n_to++ ? "\n" : "") substr($0, 3); next }
/^~ / { reason = substr($0, 3); next }
{ complain(FILENAME ":" FNR ": no line of a list: " $0) }

END {
    finish()
    exit bad
}

function complain(text) {
    print text > "/dev/stderr"
    bad = 1
}

function contents(path,    line, all) {
    if (path in known) return known[path]
    all = ""
    while ((getline line < (root "/" path)) > 0) all = all line "\n"
    close(root "/" path)
    return known[path] = all
}

function count(text, part,    n, at) {
    n = 0
    while (part != "" && (at = index(text, part)) > 0) {
        n++
        text = substr(text, at + length(part))
    }
    return n
}

function finish(    name_now, text, n, at) {
    if (!open) return
    open = 0
    name_now = area "." number
    if (mode == "list") {
        print name_now, file, suites, (reason == "" ? "-" : "equivalent: " reason), what
        return
    }
    if (mode == "plant" && name_now != name) return
    text = contents(file)
    n = count(text, from)
    if (n != 1 || from == to || text == "") {
        complain(name_now ": " file (from == to ? ": changes nothing" : text == "" ? ": there is no such file" : \
            ": the old text stands there " n " times, not once") ": " what)
        return
    }
    if (mode != "plant") return
    at = index(text, from)
    printf "%s%s%s", substr(text, 1, at - 1), to, substr(text, at + length(from))
}
