# SPDX-License-Identifier: Apache-2.0

# A region: the processes that the catalogue names for it, on the machines of their addresses. NATS
# servers first, then hubs, then edges. Of one kind Terraform does several at once, unless it is run
# with -parallelism=1, as scripts/rollout does: then an upgrade is rolling.

locals {
  region = one([
    for region in try(yamldecode(file(var.deployment.catalogue)).regions, []) : region
    if try(region.name, "") == var.region
  ])

  # Of each process: where it is, and what must answer when it is up.
  nodes = {
    for node in try(local.region.nodes, []) : node.name => {
      at     = node.client
      health = ["http://${node.monitor}/healthz"]
    }
  }
  hubs = {
    for hub in try(local.region.hubs, []) : hub.name => { at = hub.health, health = ["http://${hub.health}/readyz"] }
  }
  edges = {
    for edge in try(local.region.edges, []) : edge.name => {
      at     = edge.listen
      health = ["http://${edge.listen}/readyz", "https://${edge.listen}/readyz"]
    }
  }

  machine = {
    for name, process in merge(local.nodes, local.hubs, local.edges) :
    name => lookup(var.deployment.runs_on, name, trim(replace(process.at, "/:[0-9]+$/", ""), "[]"))
  }
  hosts = {
    for key, host in var.deployment.hosts : key => {
      address  = coalesce(host.address, key)
      port     = host.port
      user     = host.user
      host_key = host.host_key
      key_file = var.deployment.ssh_key_file
      timeout  = var.deployment.ssh_timeout
    } if contains(values(local.machine), key)
  }
  homeless = [
    for name, key in local.machine : "${name} (${key})" if !contains(keys(var.deployment.hosts), key)
  ]
  crowded = [
    for names in concat([
      for kind in [local.nodes, local.hubs, local.edges] :
      values({ for name in keys(kind) : local.machine[name] => name... })
    ]...) : join(", ", names) if length(names) > 1
  ]

  strangers = [
    for name in keys(local.machine) : name if !fileexists("${var.deployment.pki}/${name}/key.pem")
  ]

  sha256 = { for name, package in var.deployment.packages : name => package.sha256 }
  needs = {
    node = { for name, sha in local.sha256 : name => sha if contains(["meridian-nats", "meridian-cli", "nats-server"], name) }
    hub  = { "meridian-hub" = local.sha256["meridian-hub"] }
    edge = { "meridian-edge" = local.sha256["meridian-edge"] }
  }
  # "MACHINE PACKAGE", once each.
  archives = merge([
    for kind, names in { node = keys(local.nodes), hub = keys(local.hubs), edge = keys(local.edges) } : {
      for pair in setproduct([for name in names : local.machine[name]], keys(local.needs[kind])) :
      "${pair[0]} ${pair[1]}" => { host = pair[0], package = pair[1] }
    }
  ]...)
}

# The region as a whole is looked at before any machine is.
resource "terraform_data" "checked" {
  input = { processes = local.machine }

  lifecycle {
    precondition {
      condition     = alltrue([for name in keys(local.machine) : can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*$", name))])
      error_message = "Names of processes are of letters, digits, dots, dashes and underscores."
    }
    precondition {
      condition     = length(local.homeless) == 0
      error_message = "deployment.hosts has no machine for ${join(", ", local.homeless)}."
    }
    precondition {
      condition     = length(local.crowded) == 0
      error_message = "More than one of a kind on a machine, which the packages cannot: ${join("; ", local.crowded)}."
    }
    precondition {
      condition     = length(local.strangers) == 0
      error_message = "${var.deployment.pki} has no certificate of ${join(", ", local.strangers)}: run `meridian pki make`."
    }
    precondition {
      condition     = length(local.nodes) > 0 && length(local.hubs) > 0 && length(local.edges) > 0
      error_message = "The catalogue names no nodes, no hubs or no edges for ${var.region}."
    }
  }
}

# All packages are on all machines, whole, before anything is touched.
module "archive" {
  source     = "../upload"
  depends_on = [terraform_data.checked]
  for_each   = local.archives

  name   = each.value.package
  path   = var.deployment.packages[each.value.package].path
  sha256 = local.sha256[each.value.package]
  host   = local.hosts[each.value.host]
}

module "node" {
  source     = "../process"
  depends_on = [module.archive]
  for_each   = local.nodes

  kind        = "node"
  name        = each.key
  region      = var.region
  health      = each.value.health
  host        = local.hosts[local.machine[each.key]]
  packages    = local.needs.node
  catalogue   = var.deployment.catalogue
  credentials = "${var.deployment.pki}/${each.key}"
  settings    = null
  gate_s      = var.deployment.gate_s
  keep_data   = var.deployment.keep_data
}

# What the catalogue needs in JetStream, made by the first node's machine with the operator's
# certificate, which is there no longer than that takes.
module "provisioned" {
  source     = "../remote"
  depends_on = [module.node]
  for_each   = var.deployment.provision ? toset([keys(local.nodes)[0]]) : toset([])

  name = "provision"
  host = local.hosts[local.machine[each.key]]
  files = {
    for file in ["ca.pem", "certificate.pem", "key.pem"] : file => "${var.deployment.pki}/${var.deployment.operator}/${file}"
  }
  triggers = filesha256(var.deployment.catalogue)
  apply    = templatefile("${path.module}/provision.sh", { gate_s = var.deployment.gate_s })
}

module "hub" {
  source     = "../process"
  depends_on = [module.provisioned]
  for_each   = local.hubs

  kind        = "hub"
  name        = each.key
  region      = var.region
  health      = each.value.health
  host        = local.hosts[local.machine[each.key]]
  packages    = local.needs.hub
  catalogue   = var.deployment.catalogue
  credentials = "${var.deployment.pki}/${each.key}"
  settings    = var.deployment.settings.hub
  gate_s      = var.deployment.gate_s
  keep_data   = var.deployment.keep_data
}

module "edge" {
  source     = "../process"
  depends_on = [module.hub]
  for_each   = local.edges

  kind        = "edge"
  name        = each.key
  region      = var.region
  health      = each.value.health
  host        = local.hosts[local.machine[each.key]]
  packages    = local.needs.edge
  catalogue   = var.deployment.catalogue
  credentials = "${var.deployment.pki}/${each.key}"
  settings    = var.deployment.settings.edge
  gate_s      = var.deployment.gate_s
  keep_data   = var.deployment.keep_data
}
