# SPDX-License-Identifier: Apache-2.0
# Keeps a file that was uploaded, if it is the one that it should be. A template of Terraform.
set -eu
name='${name}' extension='${extension}' sha256='${sha256}'

cache=/var/cache/meridian-deploy
mkdir -p "$cache"
install -o root -g root -m 0644 "/dev/shm/$name.$extension" "$cache/$name.new"
rm "/dev/shm/$name.$extension"
if ! echo "$sha256  $cache/$name.new" | sha256sum -c --quiet --status; then
    rm "$cache/$name.new"
    echo "$name came here with another SHA-256 than $sha256; nothing was changed" >&2
    exit 1
fi
# The last one stays too: the way back needs no upload.
ls -t "$cache/$name"_*."$extension" 2>/dev/null | tail -n +2 | xargs -r rm
mv "$cache/$name.new" "$cache/$${name}_$sha256.$extension"
