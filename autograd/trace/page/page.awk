# Prints the page of a trace in one piece: page.html, with each line "<!-- put FILE -->" replaced by that file of the same folder, less
# its comments and indentation, which every written page would carry. A comment begins a line with "/*", and its last line ends with "*/".
# usage: awk -f page.awk page.html
function put(name,    line, comment, got, count) {
    while ((got = (getline line < name)) > 0) {
        count++
        sub(/^ +/, "", line)
        if (line ~ /^\/\*/) comment = 1
        if (!comment && line != "") print line
        if (line ~ /\*\/$/) comment = 0
    }
    close(name)
    if (got == 0 && count && !comment) return
    print "page.awk: " name " cannot be read to its end" > "/dev/stderr"
    failed = 1
    exit
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
