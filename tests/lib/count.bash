# Count what test programs say, in a file: a line `PASSED FAILED` for each that was counted. Part of tests/run.
# shellcheck shell=bash

count_begin() {
    COUNTS=$1
    : >"$COUNTS"
}

count_passed() {
    awk '{ n += $1 } END { print n + 0 }' "$COUNTS"
}

count_failed() {
    awk '{ n += $2 } END { print n + 0 }' "$COUNTS"
}

# Whether a skip is as good as a failure.
skip_fails() {
    [[ ${CI-} == true ]]
}

# count_unit FOLDER: of every unit test program, from automake's NAME.log (what it printed) and NAME.trs (how it ended).
count_unit() {
    local trs
    while IFS= read -r trs; do
        count_unit_program "${trs%.trs}"
    done < <(find "$1" -name '*.trs')
}

# cmocka announces how many tests it will run, and says how many passed: the rest failed, were skipped, or it crashed before them.
# A program that is not cmocka's counts as one.
count_unit_program() {
    local result total good skipped
    result=$(sed -n 's/^:test-result: //p' "$1.trs")
    total=$(sum_of 's/^\[==========\] .*Running \([0-9]*\) test(s).*/\1/p' "$1.log")
    good=$(sum_of 's/^\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$1.log")
    skipped=$(sum_of 's/^\[  SKIPPED \] \([0-9]*\) test(s).*/\1/p' "$1.log")
    if ((total == 0)); then
        total=1
        [[ $result != PASS ]] || good=1
        [[ $result != SKIP ]] || skipped=1
    fi
    # It ended badly after its last test: a leak, for instance.
    [[ $result == PASS || $result == SKIP || $good -lt $total ]] || total=$((total + 1))
    count_add "$total" "$good" "$skipped"
}

sum_of() {
    sed -n "$1" "$2" | awk '{ n += $1 } END { print n + 0 }'
}

# count_tap FILE: of a bats run. What the plan (1..N) promised and was not reported has failed.
count_tap() {
    local total good skipped
    total=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$1" | tail -n 1)
    good=$(grep -c '^ok ' "$1" || true)
    skipped=$(grep -c '^ok .* # skip' "$1" || true)
    # Without a plan bats itself failed.
    count_add "${total:-1}" "$((good - skipped))" "$skipped"
}

# count_add TOTAL GOOD SKIPPED
count_add() {
    local bad=$(($1 - $2 - $3))
    ((bad >= 0)) || bad=1
    if (($3 > 0)); then
        note "$3 skipped"
        ! skip_fails || bad=$((bad + $3))
    fi
    printf '%d %d\n' "$2" "$bad" >>"$COUNTS"
}
