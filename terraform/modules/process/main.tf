# SPDX-License-Identifier: Apache-2.0

# One process of a region on one machine.

locals {
  unit = { node = "meridian-nats", hub = "meridian-hub", edge = "meridian-edge" }[var.kind]

  settings = var.settings == null ? [] : sort(fileset(var.settings, "*"))
  certificate = [
    for file in ["ca.pem", "clients.pem", "certificate.pem", "key.pem"] : file
    if fileexists("${var.credentials}/${file}")
  ]

  words = {
    kind      = var.kind
    name      = var.name
    region    = var.region
    unit      = local.unit
    health    = join(" ", var.health)
    gate_s    = var.gate_s
    keep_data = var.keep_data
    packages  = join(" ", [for name, sha in var.packages : "${name}=${sha}"])
  }
}

module "remote" {
  source = "../remote"
  name   = var.name
  host   = var.host
  files = merge(
    { "regions.yaml" = var.catalogue },
    { for file in local.settings : "settings/${file}" => "${var.settings}/${file}" },
    { for file in local.certificate : "credentials/${file}" => "${var.credentials}/${file}" },
  )
  triggers = {
    packages    = var.packages
    catalogue   = filesha256(var.catalogue)
    settings    = { for file in local.settings : file => filesha256("${var.settings}/${file}") }
    certificate = { for file in local.certificate : file => filesha256("${var.credentials}/${file}") if file != "key.pem" }
  }
  apply  = templatefile("${path.module}/apply.sh", local.words)
  remove = templatefile("${path.module}/remove.sh", local.words)
}
