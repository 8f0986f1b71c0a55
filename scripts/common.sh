# shellcheck shell=bash disable=SC2034 # the variables are for the scripts that read this file
# SPDX-License-Identifier: MIT
#
# What every script of the build shares: where things are, how progress and errors are shown, and a way to read
# Debian source packages that changes nothing on the system and needs no root.

QUIRE_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
QUIRE_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/quire
QUIRE_SUITE=bookworm
# What is built for: an architecture, a folder of kernel/arch.
QUIRE_ARCH=${QUIRE_ARCH:-aarch64}
case $QUIRE_ARCH in
    aarch64) QUIRE_CROSS=aarch64-linux-gnu- QUIRE_TRIPLET=aarch64-none-elf ;;
    x86_64) QUIRE_CROSS=x86_64-linux-gnu- QUIRE_TRIPLET=x86_64-elf ;;
esac
QUIRE_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Shows one step of the work. The text goes to standard error, so that a script's standard output stays data.
step() {
    printf '\033[1mquire:\033[0m %s\n' "$*" >&2
}

# Ends the script with a message that names the fault and, on the lines that follow it, the remedy.
fail() {
    printf 'quire: error: %s\n' "$1" >&2
    shift
    [ $# = 0 ] || printf '%s\n' "$@" | sed 's/^/       /' >&2
    exit 1
}

# Prints a short name for whatever is given on standard input: equal inputs, equal names.
short_hash() {
    sha256sum | cut -c1-12
}

# Runs apt-get or apt-cache, $1, with package lists of our own in the folder $2, which has a sources.list. The system's stay
# as they are.
apt_apart() {
    local tool=$1 state=$2
    shift 2
    mkdir -p "$state/lists/partial" "$state/archives/partial"
    "$tool" -q -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$state/lists" -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives" \
        -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1 "$@"
}

# The same with lists that hold Debian's source packages.
private_apt() {
    local state=$QUIRE_CACHE/apt
    mkdir -p "$state"
    if [ ! -s "$state/sources.list" ]; then
        {
            echo "deb-src [signed-by=$QUIRE_KEYRING] http://deb.debian.org/debian $QUIRE_SUITE main"
            echo "deb-src [signed-by=$QUIRE_KEYRING] http://deb.debian.org/debian-security $QUIRE_SUITE-security main"
        } >"$state/sources.list"
    fi
    apt_apart apt-get "$state" "$@"
}

# Unpacks the Debian source package $1 into the new directory $2.
fetch_source() {
    local package=$1 destination=$2 work=$2.fetch
    step "reading Debian's source of $package"
    rm -rf "$work" && mkdir -p "$work"
    private_apt update >"$work/update.log" 2>&1 ||
        fail "the Debian source lists could not be read; the end of apt's messages:" "$(tail -3 "$work/update.log")" \
            "Check the network, then run the same command again."
    (cd "$work" && private_apt source "$package" >source.log 2>&1) ||
        fail "the source of $package could not be read; the end of apt's messages:" "$(tail -3 "$work/source.log")"
    mv "$(find "$work" -mindepth 1 -maxdepth 1 -type d)" "$destination"
    rm -rf "$work"
}

# Prints where the source of Debian's newest version of package $1 is kept; unpacks it if it is not there yet. Without a
# network the newest one that is there does.
kept_source() {
    local package=$1 place=$QUIRE_CACHE/programs version work
    mkdir -p "$place"
    if [ -z "$(find "$QUIRE_CACHE/apt/lists" -name '*_Sources*' -mmin -1440 2>/dev/null)" ]; then
        private_apt update >/dev/null 2>&1 || step "Debian's lists of sources cannot be read; using what is here"
    fi
    version=$(private_apt --only-source --print-uris source "$package" 2>/dev/null |
        sed -n "s|^'.*/${package}_\([^']*\)\.dsc'.*|\1|p" | head -1)
    if [ -n "$version" ] && [ ! -e "$place/$package-$version" ]; then
        work=$(mktemp -d "$place/$package.work-XXXXXX")
        fetch_source "$package" "$work/source"
        # Another run may have unpacked the same meanwhile; theirs is as good as ours.
        mv -T "$work/source" "$place/$package-$version" 2>/dev/null || true
        rm -rf "$work"
    fi
    find "$place" -mindepth 1 -maxdepth 1 -name "$package-*" | sort -V | tail -1 | grep . ||
        fail "the source of $package could not be read" "Check the network, then run the same command again."
}

# Reads the lists of Debian's arm64 packages: the functions below take files out of packages and install none. $1: a folder of
# the cache for the lists; $2: an existing folder for packages, the log, and a list of what was unpacked; then
# "URL SUITE COMPONENT..." for each list.
arm64_begin() {
    ARM64_STATE=$QUIRE_CACHE/$1 ARM64_WORK=$2
    shift 2
    mkdir -p "$ARM64_STATE"
    printf "deb [arch=arm64 signed-by=$QUIRE_KEYRING] %s\n" "$@" >"$ARM64_STATE/sources.list"
    arm64_apt apt-get update >"$ARM64_WORK/log" 2>&1 || arm64_give_up "the list of arm64 packages"
}

# What is installed here does not matter to packages of another machine.
arm64_apt() {
    local tool=$1
    shift
    apt_apart "$tool" "$ARM64_STATE" -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
        -o Dir::State::status=/dev/null "$@"
}

# Prints the newest package that the package $1, which is nothing but a name for it, depends on.
arm64_newest() {
    arm64_apt apt-cache show "$1" | sed -n 's/^Depends: \([^ ,]*\).*/\1/p' | sort -V | tail -1 | grep . ||
        arm64_give_up "$1"
}

# Unpacks the package $1 into the folder $2, whole or only what matches the pattern $3. False: it cannot be had.
arm64_unpack() {
    local package=$1 destination=$2 pattern=${3:-*}
    (cd "$ARM64_WORK" && arm64_apt apt-get download "$package" >>log 2>&1) || return 1
    mkdir -p "$destination"
    dpkg-deb --fsys-tarfile "$ARM64_WORK/$package"_*.deb | tar -x -C "$destination" --wildcards "$pattern" &&
        basename "$ARM64_WORK/$package"_*.deb >>"$ARM64_WORK/packages"
}

# Ends the script: $1 cannot be had.
arm64_give_up() {
    fail "$1 cannot be read from Debian; the end of apt's messages:" "$(tail -3 "$ARM64_WORK/log")" \
        "Check the network, then run the same command again."
}
