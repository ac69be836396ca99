# SPDX-License-Identifier: Apache-2.0
# Takes a name server off this machine, as root. Debian's gdnsd stays installed, and does not run.
set -u
exec 9>/run/meridian-deploy.lock
flock 9
systemctl disable --quiet --now gdnsd.service
DEBIAN_FRONTEND=noninteractive dpkg --purge meridian-geo >/dev/null
rm -rf /etc/gdnsd /etc/gdnsd.old /etc/gdnsd.new
rm -f /var/lib/meridian-deploy/meridian-geo
rm -f /var/cache/meridian-deploy/meridian-geo_* /var/cache/meridian-deploy/places_*
rmdir --ignore-fail-on-non-empty /var/lib/meridian-deploy /var/cache/meridian-deploy
echo "the name server is removed"
