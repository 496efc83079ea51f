#!/bin/sh
# Makes configure and the Makefile.in from configure.ac and the local.mk fragments.
set -eu
cd "$(dirname "$0")"
exec autoreconf -fi
