# SPDX-License-Identifier: Apache-2.0
# Makes what the catalogue needs in JetStream, as the operator, whose certificate has just come here
# and goes away again with `new`. A template of Terraform.
set -u
chmod -R go= "$new"
export MERIDIAN_NATS_CREDENTIALS=$new
end=$(($(date +%s) + ${gate_s}))
until said=$(meridian provision --catalogue /etc/meridian/regions.yaml 2>&1); do
    if [ "$(date +%s)" -ge "$end" ]; then
        echo "meridian provision: $said" >&2
        exit 1
    fi
    sleep 1
done
echo "$said" | tail -n 1
