# SPDX-License-Identifier: Apache-2.0

output "delegation" {
  description = "The records that the parent zone needs: each server's name and address."
  value = {
    for name, server in var.servers : "${name}.${var.zone}" => trim(replace(server.listen, "/:[0-9]+$/", ""), "[]")
  }
}
