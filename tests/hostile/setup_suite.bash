# One lab for all hostile suites, apart from the end-to-end tests' own. With CALLSIGN_KEEP_LAB=1 it stays.
# shellcheck shell=bash

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
