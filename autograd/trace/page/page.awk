# Prints the page of a trace in one piece: page.html, with each line "<!-- put FILE -->" replaced by that file of the same folder. As every
# page that is written carries them, scripts and styles come without comments, indentation and spaces around signs; lines stay
# lines. A comment begins a line with "/*", and its last line ends with "*/"; no string or template goes on to the next line.
# usage: awk -f page.awk page.html

# Without spaces beside any of `signs`, but in strings and in templates, what stands in ${} included. + and - keep theirs, as "a - -b" needs them.
function squeeze(line, signs,    i, c, made, deep, kind, space) {
    deep = 0
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\\" && deep) {
            made = made c substr(line, ++i, 1)
            continue
        }
        # kind[deep]: what is open: a string ", a template `, or { in a template; 0 is the code outside.
        if (deep && kind[deep] != "{") {
            if (c == kind[deep]) deep--
            else if (kind[deep] == "`" && c == "$" && substr(line, i + 1, 1) == "{") {
                kind[++deep] = "{"
                made = made c
                c = substr(line, ++i, 1)
            }
        } else if (c == "\"" || c == "`") kind[++deep] = c
        else if (deep && c == "{") kind[++deep] = c
        else if (deep && c == "}") deep--
        else if (!deep && c == " ") {
            space = substr(line, i + 1, 1)
            if (index(signs, space) || index(signs, substr(made, length(made)))) continue
        }
        made = made c
    }
    if (deep) fail("a string goes on after: " line)
    return made
}
function fail(message) {
    print "page.awk: " message > "/dev/stderr"
    failed = 1
    exit
}
function put(name,    line, comment, got, count) {
    while ((got = (getline line < name)) > 0) {
        count++
        sub(/^ +/, "", line)
        if (line ~ /^\/\*/) comment = 1
        if (!comment && line != "") print squeeze(line, name ~ /\.css$/ ? "{};:,>" : "{}()[]=<>?:,;&|!*/%")
        if (line ~ /\*\/$/) comment = 0
    }
    close(name)
    if (got < 0 || !count || comment) fail(name " cannot be read to its end")
}
BEGIN {
    folder = ARGV[1]
    if (!sub(/[^\/]*$/, "", folder) || folder == "") folder = "./"
}
/^<!-- put [a-z]+\.[a-z]+ -->$/ {
    put(folder $3)
    next
}
{ print }
END { exit failed }
