# One lab for all suites of a bats run. With CALLSIGN_KEEP_LAB=1 it stays, for a look around afterwards.
# shellcheck shell=bash

IFS=$' \t\n' # bats 1.8 leaves the comma that it splits --filter-tags by

export CALLSIGN_LAB=${CALLSIGN_LAB:-${TMPDIR:-/tmp}/callsign-test-$EUID}

setup_suite() {
    # shellcheck source=tests/lib/lab.bash
    source "$BATS_TEST_DIRNAME/../lib/lab.bash"
    lab_up
}

teardown_suite() {
    # shellcheck source=tests/lib/lab.bash
    source "$BATS_TEST_DIRNAME/../lib/lab.bash"
    [[ ${CALLSIGN_KEEP_LAB-} == 1 ]] || lab_down
}
