#!/bin/sh
# Counts the stand-in words `who`, `what`, `whoever`, `somebody` and `nobody` in comments and documents.
#
#   sh tests/prose.sh           prints a table of the areas; fails if one of them is above the limit
#   sh tests/prose.sh PATH...   prints each place in these files and folders; fails likewise
#   sh tests/prose.sh --test    checks this script itself
#
# Text in code blocks (```) and in `backticks` is code, and not counted.
set -eu
export LC_ALL=C

# Prints the files of the project. A source archive has no .git, so there they are searched for.
project_files() {
    cd "$(dirname "$0")/.."
    if [ -e .git ]; then git ls-files; else find_files .; fi
}

find_files() {
    find "$@" \( -name target -o -name node_modules -o -name .git \) -prune -o -type f -print
}

# Reads file names. `list=1` prints each place instead of the table.
count() {
    awk -v list="$1" '
    BEGIN {
        LIMIT = 3 # per 1,000 words, in total and in each area
        split("who what whoever somebody nobody", names)
        for (i in names) is_counted[names[i]] = 1
        # The tokens at which code stops being plain code, by language.
        TOKEN["rust"] = "//|/[*]|r#*\"|\"|\047"
        TOKEN["c"] = "//|/[*]|\"|\047"
        TOKEN["css"] = "/[*]|\"|\047"
        TOKEN["js"] = "//|/[*]|\"|\047|`|/"
        TOKEN["hash"] = "#|\"|\047"
        TOKEN["html"] = "<!--"
    }
    { read_file($0) }
    END {
        if (!list) {
            printf "%-10s %8s %6s %10s\n", "area", "words", "count", "per 1,000"
            n = split("src web tests benches others documents", order)
            for (i = 1; i <= n; i++) if (order[i] in words) row(order[i], words[order[i]], found[order[i]])
        }
        row("total", all_words, all_found)
        if (!all_words) print "there is no text to count words in"
        exit failed || !all_words
    }

    function row(name, words, found, rate) {
        rate = words ? 1000 * found / words : 0
        printf "%-10s %8d %6d %10.1f%s\n", name, words, found, rate, (rate > LIMIT ? "  above " LIMIT : "")
        if (rate > LIMIT) failed = 1
    }

    function language_of(file) {
        if (file ~ /[.]md$/) return "markdown"
        if (file ~ /[.]rs$/) return "rust"
        if (file ~ /[.]m?js$/) return "js"
        if (file ~ /[.]c$/) return "c"
        if (file ~ /[.]css$/) return "css"
        if (file ~ /[.]html$/) return "html"
        if (file ~ /[.](py|sh|toml)$|(^|\/)(Makefile|[.]ci\/run)$/) return "hash"
        return ""
    }

    function area_of(file) {
        sub(/^[.]\//, "", file)
        if (file ~ /[.]md$/) return "documents"
        if (match(file, /^(src|web|tests|benches)\//)) return substr(file, 1, RLENGTH - 1)
        return "others"
    }

    function read_file(file, line, number, text) {
        language = language_of(file)
        area = area_of(file)
        state = "code"
        fenced = number = 0
        while (language && (getline line < file) > 0) {
            number++
            text = language == "markdown" ? line : comment_of(line)
            # A code block ends at the latest with its comment.
            if (text == "" && language != "markdown") fenced = 0
            if (text ~ /^[\/!* \t]*```/) fenced = !fenced
            else if (!fenced) count_words(text, file ":" number ": " line)
        }
        close(file)
    }

    function count_words(text, place, n, i, parts) {
        gsub(/`[^`]*`/, " code ", text)
        gsub(/\]\([^)]*\)/, " ", text) # the target of a link
        n = split(text, parts, /[ \t]+/)
        for (i = 1; i <= n; i++) if (parts[i] ~ /[A-Za-z0-9]/) { words[area]++; all_words++ }
        n = split(tolower(text), parts, /[^a-z0-9_]+/)
        for (i = 1; i <= n; i++) if (parts[i] in is_counted) {
            found[area]++
            all_found++
            if (list) print place
        }
    }

    # Returns the comments in `line`. `state` is "code", "comment" or, in a string, how it
    # ends; it goes on from line to line, as does the number of open comments in Rust, `depth`.
    function comment_of(line, text, token, before) {
        text = ""
        before = ""
        # A docstring of Python is a comment.
        if (language == "hash" && state == "code" && line ~ /^[ \t]*"""/) {
            sub(/"""/, "", line)
            state = "docstring"
        }
        while (line != "") {
            if (state == "docstring") {
                if (!match(line, /"""/)) return text " " line
                text = text " " substr(line, 1, RSTART - 1)
                state = "code"
            } else if (state == "comment") {
                if (!match(line, language == "html" ? "-->" : "[*]/|/[*]")) return text " " line
                text = text " " substr(line, 1, RSTART - 1)
                token = substr(line, RSTART, RLENGTH)
                if (token != "/*") depth--
                else if (language == "rust") depth++
                if (depth == 0) state = "code"
            } else if (state != "code") {
                # In a string. Only a raw string of Rust has no escapes.
                if (!match(line, state ~ /^"#/ || raw ? state : "\\\\.|" state)) break
                if (substr(line, RSTART, 1) != "\\" || raw) { state = "code"; raw = 0 }
            } else {
                if (!match(line, TOKEN[language])) break
                token = substr(line, RSTART, RLENGTH)
                before = before substr(line, 1, RSTART - 1)
                line = substr(line, RSTART)
                RSTART = 1
                if (token == "//") return text " " substr(line, 3)
                if (token == "#") {
                    if (before ~ /(^|[ \t])$/) return text " " substr(line, 2)
                } else if (token == "/*" || token == "<!--") {
                    state = "comment"
                    depth = 1
                } else if (token == "/") {
                    # A regular expression, unless an operand is before it.
                    if (before ~ /(^|[[(,=:!&|?{};+*%<>~^-]|return)[ \t]*$/)
                        if (!match(line, /^\/(\\.|[[](\\.|[^]\\])*]|[^\/\\[])+\//)) RLENGTH = 1
                    RSTART = 1
                } else if (token == "\047" && language == "rust") {
                    # A character, or else a lifetime.
                    if (!match(line, /^\047(\\.[^\047]*|[^\047\\][\200-\277]*)\047/)) RLENGTH = 1
                    RSTART = 1
                } else if (token ~ /^r/) {
                    raw = 1
                    state = "\"" substr(token, 2, length(token) - 2)
                } else {
                    state = token
                }
                before = before token
            }
            line = substr(line, RSTART + RLENGTH)
        }
        # Only strings of Rust and templates of JavaScript go on in the next line.
        if (state ~ /^["\047]/ && language != "rust") state = "code"
        return text
    }
    '
}

# Each sample has exactly one of the words in a comment: `who`. In code it has `what`.
test_itself() {
    folder=$(mktemp -d)
    trap 'rm -r "$folder"' EXIT
    cd "$folder"
    cat >sample.rs <<'SAMPLE'
//! Who. `what`
//! ```
//! what
//! ```
const A: u8 = 1;#[what]
const URL: &str = "http://what"; const RAW: &str = r#"// " what"#; const ESCAPED: &str = "\"// what";
fn what<'what>(quote: char) { quote == '"' || quote == '\''; } let what = "
// what
";
SAMPLE
    cat >sample.js <<'SAMPLE'
const what = 'http://what', pattern = /["'`/]+\/\/ what/, half = 1 / 2; /* who */ const more = what;
const text = `
// what ${what}`;
SAMPLE
    printf '.what { background: url(//what); } /* Who\n*/ .what {}\n' >sample.css
    printf 'what = "# what" # who\nwhat[#what]\n' >sample.py
    printf '<p>what</p>\n<!-- who\n-->\n<p>what</p>\n' >sample.html
    printf '# Who\n\n```sh\nwhat # what\n```\n`what` [a](what)\n' >sample.md
    for sample in sample.*; do
        places=$(echo "$sample" | count 1) && { echo "$sample: is not above the limit"; exit 1; }
        [ "$(echo "$places" | grep -ci ': .*who')" = 1 ] && [ "$(echo "$places" | wc -l)" = 2 ] ||
            { echo "$sample: $places"; exit 1; }
    done
    echo nothing.rs | count 1 >/dev/null && { echo "no text is not a failure"; exit 1; }
    echo "prose.sh counts as it should"
}

case ${1-} in
--test) test_itself ;;
"") project_files | (cd "$(dirname "$0")/.." && count 0) ;;
*) find_files "$@" | count 1 ;;
esac
