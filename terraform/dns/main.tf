# SPDX-License-Identifier: Apache-2.0

# A root and a state for the name servers alone.
terraform {
  required_version = ">= 1.9.0, < 2.0.0"
  backend "local" {} # or another one, in a backend_override.tf
}

variable "dns" {
  description = "The variables of modules/dns-gdnsd, as one object."
  type        = any
}

module "dns" {
  source       = "../modules/dns-gdnsd"
  catalogue    = var.dns.catalogue
  zone         = var.dns.zone
  servers      = var.dns.servers
  ssh_key_file = var.dns.ssh_key_file
  ssh_timeout  = try(var.dns.ssh_timeout, "30s")
  package      = var.dns.package
  database     = var.dns.database
  known        = try(var.dns.known, [])
}

output "delegation" {
  value = module.dns.delegation
}
