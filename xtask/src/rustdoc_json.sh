#!/bin/sh
# rustdoc, with JSON switched on. That is unstable, and a stable rustdoc takes unstable options
# only when told so. It is told here, and not in cargo's environment, where it would have the
# dependencies built anew.
RUSTC_BOOTSTRAP=1 exec "${THREADLINE_RUSTDOC:-rustdoc}" "$@"
