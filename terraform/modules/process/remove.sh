# SPDX-License-Identifier: Apache-2.0
# Takes one process of a region off this machine, as root. A template of Terraform.
set -u
name='${name}' unit='${unit}' keep_data='${keep_data}'

records=/var/lib/meridian-deploy

purge() {
    DEBIAN_FRONTEND=noninteractive dpkg --purge "$@" >/dev/null
    for package in "$@"; do
        rm -f "$records/$package"
    done
}

exec 9>/run/meridian-deploy.lock
flock 9
systemctl disable --quiet --now "$unit"
rm -f "$records/$name.running"
purge "$unit"
rm -rf "/etc/meridian/nats/$name" "/etc/default/$unit"
case $unit in
    meridian-nats) rm -f /etc/meridian/nats.conf ;;
    *) rm -f "/etc/meridian/$${unit#meridian-}.yaml" ;;
esac
if [ "$keep_data" = false ]; then
    rm -rf "/var/lib/$unit"
fi
for other in meridian-nats meridian-hub meridian-edge; do
    if [ -e "$records/$other" ]; then
        echo "$name is removed"
        exit 0
    fi
done
for package in meridian-cli nats-server; do
    [ ! -e "$records/$package" ] || purge "$package"
done
systemctl unmask --quiet nats-server.service 2>/dev/null
rm -rf /etc/meridian /var/cache/meridian-deploy "$records"
systemctl daemon-reload
systemctl reset-failed
echo "$name is removed, and all that was installed with it"
