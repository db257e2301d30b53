# What the suites of networks share: `load common`. Times and figures as in the families of faults.
# shellcheck shell=bash

load ../faults/common
