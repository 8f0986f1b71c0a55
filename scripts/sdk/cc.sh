#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The C compiler for Quire: Debian's gcc with this SDK's headers, libraries and start file in place of
# Linux's. It takes gcc's options and is found beside its SDK, wherever that is; quire.specs says what is different.
here=$0
[ ! -h "$here" ] || here=$(readlink -f "$here")
case $here in
    */*) here=${here%/*} ;;
    *) here=. ;;
esac
sdk=$(cd "$here/.." && pwd) || exit 1

# What this compiler makes programs for, unlike what gcc would say; a configure script asks.
for argument; do
    if [ "$argument" = -dumpmachine ]; then
        echo @TARGET@
        exit 0
    fi
done

# The choices that come first can be taken back by later options. -static settles for gcc what kind of program it is.
exec @CC@ -specs="$sdk/lib/quire.specs" --sysroot="$sdk" -B"$sdk/lib/" -static -fno-pie \
    -fno-stack-protector @CHOICES@ "$@"
