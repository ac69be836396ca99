# SPDX-License-Identifier: Apache-2.0

# What the cloud modules have in common: each has a link to this file.

variable "region" {
  description = "The region, as the catalogue calls it."
  type        = string
}

variable "machines" {
  description = "Debian 12 machines, by name. `address` is the private address that the catalogue names, `type` and `zone` are the cloud's words."
  type        = map(object({ address = string, type = string, zone = string, disk_gb = number }))
}

variable "subnet" {
  description = "The cloud's id of the subnet that holds the addresses. Subnets of the regions must reach one another: that is not made here."
  type        = string
}

variable "ssh_public_key" {
  description = "Who may log in: the public half of deployment.ssh_key_file."
  type        = string
}

variable "operator_networks" {
  description = "IPv4 networks from which machines are logged in to."
  type        = list(string)
}

variable "inside_networks" {
  description = "IPv4 networks of all regions: NATS servers, hubs and edges reach each other at all ports."
  type        = list(string)
}

variable "edge_port" {
  description = "The port of edges, open to everybody."
  type        = number
  default     = 443
}

variable "host_keys" {
  description = "Host keys by machine, once they are known: read them off the console, not off the network."
  type        = map(string)
  default     = {}
}

variable "dns_zone" {
  description = "The cloud's id or name of the zone for `names`; null: no names are made."
  type        = string
  default     = null
}

variable "names" {
  description = "Names in that zone, and the machine that each leads to."
  type        = map(string)
  default     = {}
}

output "hosts" {
  description = "What deployment.hosts of modules/region takes. It refuses machines whose host key is not known yet."
  value = {
    for name, machine in var.machines : machine.address => {
      address  = local.public_addresses[name]
      user     = local.user
      host_key = lookup(var.host_keys, name, "")
    }
  }
}
