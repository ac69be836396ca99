# SPDX-License-Identifier: Apache-2.0

# A large file on a machine, whole and as it should be, before anybody uses it.

resource "terraform_data" "stored" {
  triggers_replace = [var.host.address, var.sha256]

  connection {
    type        = "ssh"
    host        = var.host.address
    port        = var.host.port
    user        = var.host.user
    private_key = file(var.host.key_file)
    host_key    = var.host.host_key
    timeout     = var.host.timeout
  }
  provisioner "file" {
    source      = var.path
    destination = "/dev/shm/${var.name}.${var.extension}"
  }
  provisioner "remote-exec" {
    inline = [format(
      "${var.host.user == "root" ? "" : "sudo -n "}sh -c \"$(cat <<'END'\n%s\nEND\n)\" </dev/null",
      templatefile("${path.module}/store.sh", {
        name = var.name, extension = var.extension, sha256 = var.sha256
      }),
    )]
  }
}
