# SPDX-License-Identifier: Apache-2.0

# Something on one machine that a script keeps up to date, over SSH. Two resources: `release` is
# replaced whenever something changes, and `place` stays until the thing leaves the machine. With
# one, each upgrade would remove everything first.

locals {
  staging = "/dev/shm/meridian-deploy.${var.name}"

  # Not by its standard input, which a command of the script might read.
  as_root = "${var.host.user == "root" ? "" : "sudo -n "}sh -c \"$(cat <<'END'\n%s\nEND\n)\" </dev/null"

  # The files come in one upload, a line each: its place and its bytes. They may be private keys, so
  # they are neither an input nor a trigger: those stand in the state.
  unpack = <<-EOT
    staging='${local.staging}' new='${local.staging}/new'
    trap 'rm -rf "$staging"' EXIT
    while read -r place content; do
        mkdir -p "$new/$(dirname "$place")"
        printf '%s' "$content" | base64 -d >"$new/$place"
    done <"$staging/files"
  EOT
}

resource "terraform_data" "place" {
  count = var.remove == null ? 0 : 1
  input = {
    host   = var.host # with the name of the key's file, not the key
    remove = format(local.as_root, coalesce(var.remove, "true"))
  }
  triggers_replace = [var.host.address, var.host.port]

  connection {
    type        = "ssh"
    host        = self.output.host.address
    port        = self.output.host.port
    user        = self.output.host.user
    private_key = file(self.output.host.key_file)
    host_key    = self.output.host.host_key
    timeout     = self.output.host.timeout
  }
  provisioner "remote-exec" {
    when       = destroy
    on_failure = continue # a machine that is dead must not keep its region alive
    inline     = [self.output.remove]
  }
}

resource "terraform_data" "release" {
  triggers_replace = [terraform_data.place[*].id, var.triggers]

  connection {
    type        = "ssh"
    host        = var.host.address
    port        = var.host.port
    user        = var.host.user
    private_key = file(var.host.key_file)
    host_key    = var.host.host_key
    timeout     = var.host.timeout
  }
  provisioner "remote-exec" {
    inline = ["rm -rf ${local.staging} && mkdir -m 0700 ${local.staging}"]
  }
  provisioner "file" {
    destination = "${local.staging}/files"
    content     = join("", [for place, file in var.files : "${place} ${filebase64(file)}\n"])
  }
  provisioner "remote-exec" {
    inline = [format(local.as_root, "${local.unpack}${var.apply}")]
  }
}
