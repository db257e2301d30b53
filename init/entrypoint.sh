#!/bin/sh
# A sample of an image's own entrypoint script, with callsign-emit put in. Only the last line is Callsign's: callsign-emit starts
# the command, announces the container while it runs, forwards signals to it, reaps orphans (it may be process 1), withdraws the
# name when the command ends, and ends with its status. With no broker configured it just runs the command.
set -eu

# What the image prepares before its program starts stays here, for instance:
#   [ -d /data/db ] || initialise-database /data/db

# --wait: start the command only once the container's own name resolves.
exec callsign-emit -- "$@"
