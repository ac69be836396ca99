# SPDX-License-Identifier: Apache-2.0

# Machines of a region at Hetzner, and their names.

terraform {
  required_version = ">= 1.9.0, < 2.0.0"
  required_providers {
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = "~> 1.54"
    }
  }
}

locals {
  user             = "root"
  public_addresses = { for name, server in hcloud_server.machine : name => server.ipv4_address }
}

resource "hcloud_ssh_key" "operator" {
  name       = "meridian-${var.region}"
  public_key = var.ssh_public_key
}

# For the public address; what comes by the private network passes by it.
resource "hcloud_firewall" "machine" {
  name = "meridian-${var.region}"
  rule {
    direction  = "in"
    protocol   = "tcp"
    port       = "22"
    source_ips = var.operator_networks
  }
  rule {
    direction  = "in"
    protocol   = "tcp"
    port       = "1-65535"
    source_ips = var.inside_networks
  }
  rule {
    direction  = "in"
    protocol   = "tcp"
    port       = tostring(var.edge_port)
    source_ips = ["0.0.0.0/0", "::/0"]
  }
}

resource "hcloud_server" "machine" {
  for_each           = var.machines
  name               = "meridian-${each.key}"
  server_type        = each.value.type # the disk is the type's
  image              = "debian-12"
  location           = each.value.zone
  ssh_keys           = [hcloud_ssh_key.operator.id]
  firewall_ids       = [hcloud_firewall.machine.id]
  delete_protection  = true
  rebuild_protection = true

  network {
    subnet_id = var.subnet
    ip        = each.value.address
    alias_ips = [] # else it is taken off and put on by every apply
  }
  lifecycle {
    ignore_changes = [image, ssh_keys] # no reason to throw logs away
  }
}

resource "hcloud_zone_rrset" "name" {
  for_each = var.dns_zone == null ? {} : var.names
  zone     = var.dns_zone
  name     = each.key
  type     = "A"
  ttl      = 60
  records  = [{ value = local.public_addresses[each.value] }]
}
