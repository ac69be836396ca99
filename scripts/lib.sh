# What the scripts of this folder share. Sourced, never run.
#
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
nats_minimum=2.12.3

say() {
    printf '%s\n' "$*"
}

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# The nats-server to use: the operator's own, else the one that scripts/setup unpacked.
nats_server() {
    printf '%s\n' "${NATS_SERVER:-$root/build/nats/usr/sbin/nats-server}"
}

# Prints the version of a nats-server binary (2.15.1). Fails when it is none, or does not run here.
nats_version() {
    local answer
    answer=$("$1" --version 2>/dev/null) || return 1
    [[ $answer =~ ^nats-server:\ v([0-9.]+) ]] || return 1
    printf '%s\n' "${BASH_REMATCH[1]}"
}

# True when version $1 is $2 or newer.
version_reaches() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort --version-sort | head -n 1)" = "$2" ]
}

# Prints the address of the mirror from which this machine gets Debian itself. apt answers for every
# format of its sources.
debian_mirror() {
    local codename
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-stable}")
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' |
        awk -v codename="$codename" '
            $3 == "main" && ($2 == codename || $2 == "stable" || $2 == "oldstable") {
                print $1
                exit
            }'
}

# Configures and builds one preset; ninja does nothing where nothing changed.
# The configuration's chatter is shown only when it fails.
build_preset() {
    local preset=$1 chatter
    shift
    cd "$root"
    chatter=$(cmake --preset "$preset" 2>&1) || {
        printf '%s\n' "$chatter" >&2
        return 1
    }
    cmake --build "build/$preset" "$@"
}
