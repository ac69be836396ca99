# SPDX-License-Identifier: Apache-2.0

# Name servers that steer clients to regions: gdnsd with what `meridian-geo render gdnsd` writes.

locals {
  hosts = {
    for name, server in var.servers : name => {
      address  = server.address
      port     = server.port
      user     = server.user
      host_key = server.host_key
      key_file = var.ssh_key_file
      timeout  = var.ssh_timeout
    }
  }
}

module "package" {
  source   = "../upload"
  for_each = var.servers
  name     = "meridian-geo"
  path     = var.package.path
  sha256   = var.package.sha256
  host     = local.hosts[each.key]
}

module "database" {
  source    = "../upload"
  for_each  = var.servers
  name      = "places"
  extension = "mmdb"
  path      = var.database.path
  sha256    = var.database.sha256
  host      = local.hosts[each.key]
}

module "server" {
  source     = "../remote"
  depends_on = [module.package, module.database]
  for_each   = var.servers

  name     = "dns"
  host     = local.hosts[each.key]
  files    = { "regions.yaml" = var.catalogue }
  triggers = [filesha256(var.catalogue), var.package.sha256, var.database.sha256, var.zone, each.value.listen, var.known]
  apply = templatefile("${path.module}/apply.sh", {
    package  = var.package.sha256
    database = var.database.sha256
    zone     = var.zone
    listen   = each.value.listen
    name     = each.key
    known    = join(" ", [for known in var.known : "--known ${known}"])
  })
  remove = file("${path.module}/remove.sh")
}
