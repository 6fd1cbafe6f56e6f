# Prints the page of a trace in one piece: page.html, with each line "<!-- put FILE -->" replaced by that file of the same folder.
# usage: awk -f page.awk page.html
BEGIN {
    path = ARGV[1]
    folder = path ~ /\// ? path : "./"
    sub(/[^\/]*$/, "", folder)
}
/^<!-- put [a-z]+\.[a-z]+ -->$/ {
    count = 0
    while ((got = (getline line < (folder $3))) > 0) {
        print line
        count++
    }
    if (got < 0 || count == 0) {
        print "page.awk: " folder $3 " cannot be read" > "/dev/stderr"
        exit 1
    }
    close(folder $3)
    next
}
{ print }
