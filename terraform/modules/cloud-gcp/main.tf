# SPDX-License-Identifier: Apache-2.0

# Machines of a region in Google Cloud, and their names.

terraform {
  required_version = ">= 1.9.0, < 2.0.0"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0, < 8.0"
    }
  }
}

variable "network" {
  description = "The network of the subnet."
  type        = string
}

variable "cloud_region" {
  description = "The region as Google calls it."
  type        = string
}

locals {
  user             = "operator"
  public_addresses = { for name, address in google_compute_address.machine : name => address.address }
  tag              = "meridian-${var.region}"

  ingress = {
    ssh     = { networks = var.operator_networks, ports = ["22"] }
    inside  = { networks = var.inside_networks, ports = [] } # all
    clients = { networks = ["0.0.0.0/0"], ports = [tostring(var.edge_port)] }
  }
}

resource "google_compute_firewall" "machine" {
  for_each      = local.ingress
  name          = "meridian-${var.region}-${each.key}"
  network       = var.network
  source_ranges = each.value.networks
  target_tags   = [local.tag]
  allow {
    protocol = "tcp"
    ports    = each.value.ports
  }
}

resource "google_compute_address" "machine" {
  for_each = var.machines
  name     = "meridian-${each.key}"
  region   = var.cloud_region
}

resource "google_compute_instance" "machine" {
  for_each            = var.machines
  name                = "meridian-${each.key}"
  machine_type        = each.value.type
  zone                = each.value.zone
  tags                = [local.tag]
  metadata            = { "ssh-keys" = "${local.user}:${var.ssh_public_key}", "enable-oslogin" = "FALSE" }
  deletion_protection = true

  boot_disk {
    initialize_params {
      image = "debian-cloud/debian-12"
      size  = each.value.disk_gb
      type  = "pd-ssd"
    }
  }
  network_interface {
    subnetwork = var.subnet
    network_ip = each.value.address
    access_config {
      nat_ip = google_compute_address.machine[each.key].address
    }
  }
  lifecycle {
    ignore_changes = [boot_disk[0].initialize_params[0].image] # no reason to throw logs away
  }
}

resource "google_dns_record_set" "name" {
  for_each     = var.dns_zone == null ? {} : var.names
  managed_zone = var.dns_zone
  name         = "${each.key}." # with the dot at its end
  type         = "A"
  ttl          = 30
  rrdatas      = [local.public_addresses[each.value]]
}
