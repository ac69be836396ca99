# SPDX-License-Identifier: Apache-2.0
# Brings one process of a region up to date on this machine, as root. What can be wrong is looked at
# before anything that runs is touched. A template of Terraform; modules/remote sets `new` and
# `staging`.
set -eu
umask 022

kind='${kind}' name='${name}' region='${region}' unit='${unit}'
packages='${packages}' health='${health}' gate_s='${gate_s}'

cache=/var/cache/meridian-deploy
records=/var/lib/meridian-deploy
etc=/etc/meridian
credentials=$etc/nats/$name
next=$cache/next.$name

fail() {
    printf '%s: %s\n' "$name" "$*" >&2
    exit 1
}

# Of the named package: what is installed now, as a hash.
recorded() {
    cat "$records/$1" 2>/dev/null || true
}

# The archives of those packages that are to change.
changed_packages() {
    for pair in $packages; do
        if [ "$(recorded "$${pair%%=*}")" != "$${pair#*=}" ]; then
            archive=$cache/$${pair%%=*}_$${pair#*=}.deb
            [ -e "$archive" ] || fail "$archive is not there"
            echo "$archive"
        fi
    done
}

# A program as it will be: out of a package that is not installed yet, else the machine's.
program() {
    if [ -x "$next$1" ]; then echo "$next$1"; else echo "$1"; fi
}

# Lays out in $1, a folder like /etc/meridian, what it shall hold.
lay_out() {
    put "$new/regions.yaml" "$1/regions.yaml" root:root 0644
    for file in "$new"/settings/*; do
        [ ! -e "$file" ] || put "$file" "$1/$(basename "$file")" "root:$unit" 0640
    done
    for file in "$new"/credentials/*; do
        put "$file" "$1/nats/$name/$(basename "$file")" "$unit:$unit" 0600
    done
    if [ "$kind" = node ]; then
        put "$new/nats.conf" "$1/nats.conf" "root:$unit" 0640
    fi
}

# put FILE PLACE OWNER:GROUP MODE, never half of it.
put() {
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.new"
    chown "$3" "$2.new"
    chmod "$4" "$2.new"
    mv "$2.new" "$2"
}

# Runs a command that sees /etc/meridian as it will be.
as_if() {
    unshare --mount sh -ec 'mount --bind "$0" /etc/meridian; exec "$@"' "$new/etc" "$@"
}

# Whether the program, as it will be, takes the files, as they will be.
check() {
    case $kind in
        node) set -- "$(program /usr/sbin/nats-server)" -t -c "$etc/nats.conf" ;;
        hub) set -- "$(program /usr/bin/meridian-hub)" --check-config --data "/var/lib/$unit" ;;
        edge) set -- "$(program /usr/bin/meridian-edge)" --check-config ;;
    esac
    if [ "$kind" = node ]; then
        "$(program /usr/bin/meridian)" nats config "$name" --catalogue "$new/regions.yaml" \
            --credentials "$credentials" >"$new/nats.conf" || refuse
    else
        set -- "$@" --config "$etc/$kind.yaml" --catalogue "$etc/regions.yaml" \
            --region "$region" --name "$name" --set "nats.credentials=$credentials"
    fi
    rm -rf "$new/etc"
    mkdir "$new/etc"
    [ ! -d "$etc" ] || cp -a "$etc/." "$new/etc/"
    lay_out "$new/etc"
    as_if "$@" >"$new/said" 2>&1 || {
        cat "$new/said" >&2
        refuse
    }
}

refuse() {
    fail "its configuration is not good; what runs was left alone"
}

install_packages() {
    # Debian's own unit of nats-server would start, open to everybody.
    if [ "$kind" = node ]; then
        systemctl mask --quiet nats-server.service 2>/dev/null
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends --reinstall \
        --allow-downgrades -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
        install "$@" >"$staging/apt.log" 2>&1 || {
        tail -n 20 "$staging/apt.log" >&2
        fail "its packages cannot be installed"
    }
    mkdir -p "$records"
    for pair in $packages; do
        echo "$${pair#*=}" >"$records/$${pair%%=*}"
    done
}

put_files() {
    lay_out "$etc"
    if [ "$kind" != node ]; then
        put "$new/default" "/etc/default/$unit" root:root 0644
    fi
}

# What the process was told, besides its certificate, which it reads again by itself.
told() {
    case $kind in
        node) cat "$new/nats.conf" ;;
        *) cat "$new/default" "$new/regions.yaml" "$new"/settings/* 2>/dev/null ;;
    esac | sha256sum | cut -d ' ' -f 1
}

loaded_at() {
    for address in $health; do
        curl -fs --max-time 3 "$${address%/*}/varz" |
            sed -n 's/.*"config_load_time": *"\([^"]*\)".*/\1/p'
    done
}

# True when the server has each account of the new configuration: one that comes by a reload (2.15)
# does not get what it imports.
has_accounts() {
    has=$(for address in $health; do curl -fs --max-time 3 "$${address%/*}/accountz"; done)
    for account in $(sed -n 's/^ *\(EDGE_[^ ]*\) {$/\1/p' "$new/nats.conf"); do
        case $has in *"\"$account\""*) ;; *) return 1 ;; esac
    done
}

# True when NATS has taken its new configuration without a restart, which not everything allows.
reloaded() {
    before=$(loaded_at) && has_accounts || return 1
    systemctl reload "$unit" || return 1
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        sleep 0.3
        if [ "$(loaded_at)" != "$before" ]; then return 0; fi
    done
    return 1
}

# Starts it, by the least that will do: an apply that is run again after a failure elsewhere must
# not cut off anybody here.
start() {
    systemctl enable --quiet "$unit"
    running=none
    if systemctl --quiet is-active "$unit"; then
        running=$(recorded "$name.running")
    fi
    if [ "$running" = "$packages $(told)" ]; then
        [ "$kind" != node ] || systemctl reload "$unit" # its certificate may be another
    elif [ "$kind" = node ] && [ "$${running% *}" = "$packages" ] && reloaded; then
        : # it has taken its configuration
    else
        systemctl restart "$unit"
    fi
}

answers() {
    for address in $gate_on; do
        if curl -fsk --max-time 3 "$address" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

# The first NATS server of many finds no majority for JetStream yet and cannot be well: it must be
# up. One that was well before must be well again, before the next one is touched.
choose_gate() {
    gate_on=$health
    if [ "$kind" = node ] && ! answers; then
        gate_on="$health?js-enabled-only=true"
    fi
}

gate() {
    end=$(($(date +%s) + gate_s))
    until answers; do
        if [ "$(date +%s)" -ge "$end" ]; then
            for address in $gate_on; do curl -sk --max-time 3 "$address" >&2 || true; done
            journalctl --unit "$unit" --lines 20 --no-pager --output cat >&2 || true
            fail "is not ready after $gate_s s"
        fi
        sleep 0.2
    done
}

trap 'rm -rf "$staging" "$next"' EXIT
mkdir -p "$cache"
exec 9>/run/meridian-deploy.lock
flock 9
command -v curl >/dev/null || fail "curl is missing on this machine: apt-get install curl"
archives=$(changed_packages)
printf 'REGION=%s\nNAME=%s\nCREDENTIALS=%s\n' "$region" "$name" "$credentials" >"$new/default"
rm -rf "$next"
for archive in $archives; do
    dpkg-deb -x "$archive" "$next"
done
# Where it runs for the first time, libraries that only the packages bring may be missing.
if [ -n "$(recorded "$unit")" ]; then
    check
fi
if [ -n "$archives" ]; then
    install_packages $archives
    rm -rf "$next"
fi
check
choose_gate
put_files
start
gate
printf '%s\n' "$packages $(told)" >"$records/$name.running"
echo "$name is ready"
