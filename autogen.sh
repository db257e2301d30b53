#!/bin/sh
# Make configure and the Makefile templates from configure.ac and Makefile.am (needs autoconf, automake and pkg-config).
set -e
cd "$(dirname "$0")"
exec autoreconf --install --force --warnings=all
