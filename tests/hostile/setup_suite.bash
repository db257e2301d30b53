# The same lab as that of the end-to-end suites.
# shellcheck shell=bash

# bats 1.8 leaves the comma that it splits --filter-tags by.
IFS=$' \t\n'

# shellcheck source=tests/e2e/setup_suite.bash
source "$BATS_TEST_DIRNAME/../e2e/setup_suite.bash"
