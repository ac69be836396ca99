# SPDX-License-Identifier: Apache-2.0
# Brings a name server up to date on this machine, as root. What gdnsd does not take, it never sees.
# A template of Terraform; modules/remote sets `new` and `staging`.
set -eu
umask 022

zone='${zone}' listen='${listen}' name='${name}' known='${known}'
cache=/var/cache/meridian-deploy
package=$cache/meridian-geo_${package}.deb
database=$cache/places_${database}.mmdb
records=/var/lib/meridian-deploy
etc=/etc/gdnsd

fail() {
    printf '%s: %s\n' "$name" "$*" >&2
    exit 1
}

install_packages() {
    # Debian's gdnsd would start with somebody else's configuration.
    [ -x /usr/sbin/gdnsd ] || systemctl mask --quiet gdnsd.service 2>/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends --reinstall \
        --allow-downgrades -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confold install "$package" >"$staging/apt.log" 2>&1 &&
        { [ -x /usr/sbin/gdnsd ] || apt-get -qq -y install gdnsd >"$staging/apt.log" 2>&1; } || {
        tail -n 20 "$staging/apt.log" >&2
        fail "its packages cannot be installed"
    }
    mkdir -p "$records"
    echo '${package}' >"$records/meridian-geo"
}

# Lays out gdnsd's folder as it will be, and asks gdnsd itself whether that is good.
render() {
    rm -rf "$etc.new"
    meridian-geo --catalogue "$new/regions.yaml" --database "$database" check $known ||
        fail "the database is not fit for steering; gdnsd was left alone"
    meridian-geo --catalogue "$new/regions.yaml" --database "$database" render gdnsd \
        --zone "$zone" --listen "$listen" --nameserver "$name" --out "$etc.new" ||
        fail "the catalogue cannot be rendered; gdnsd was left alone"
    gdnsd -c "$etc.new" checkconf >"$staging/said" 2>&1 || {
        cat "$staging/said" >&2
        fail "gdnsd does not take what was rendered; it was left alone"
    }
}

# True when gdnsd runs and answers its own tool.
answers() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        if gdnsdctl -t 5 status >/dev/null 2>&1; then return 0; fi
        sleep 0.5
    done
    return 1
}

put() {
    rm -rf "$etc.old"
    [ ! -d "$etc" ] || mv "$etc" "$etc.old"
    mv "$etc.new" "$etc"
}

exec 9>/run/meridian-deploy.lock
flock 9
if [ ! -x /usr/sbin/gdnsd ] ||
    [ "$(cat "$records/meridian-geo" 2>/dev/null)" != '${package}' ]; then
    install_packages
fi
render
put
systemctl unmask --quiet gdnsd.service
systemctl enable --quiet gdnsd.service 2>/dev/null
# A reload starts a new gdnsd beside the old one, which goes when the new one answers.
if ! { systemctl reload-or-restart gdnsd.service && answers; }; then
    journalctl --unit gdnsd --lines 20 --no-pager --output cat >&2
    if [ -d "$etc.old" ]; then
        rm -rf "$etc"
        mv "$etc.old" "$etc"
        systemctl restart gdnsd.service
        fail "gdnsd does not run with the new configuration; it has the old one again"
    fi
    fail "gdnsd does not run"
fi
echo "$name answers for $zone"
