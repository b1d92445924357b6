#!/bin/sh
# Runs rustdoc with unstable options, which its JSON output needs. The variable is set here and not
# in cargo's environment, where it would cause a rebuild of the dependencies.
RUSTC_BOOTSTRAP=1 exec "${THREADLINE_RUSTDOC:-rustdoc}" "$@"
