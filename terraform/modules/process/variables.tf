# SPDX-License-Identifier: Apache-2.0

variable "kind" {
  description = "What it is: node (a NATS server), hub or edge."
  type        = string
  validation {
    condition     = contains(["node", "hub", "edge"], var.kind)
    error_message = "A process is a node, a hub or an edge."
  }
}

variable "name" {
  description = "Its name in the catalogue."
  type        = string
}

variable "region" {
  description = "Its region in the catalogue."
  type        = string
}

variable "health" {
  description = "Addresses (http://...) of which one must answer before it counts as up."
  type        = list(string)
}

variable "host" {
  description = "The machine, and how to log in there."
  type = object({
    address  = string
    port     = number
    user     = string
    host_key = string
    key_file = string
    timeout  = string
  })
}

variable "packages" {
  description = "SHA-256 of each Debian package it needs, by name. They are on the machine already."
  type        = map(string)
}

variable "catalogue" {
  description = "The file of the catalogue."
  type        = string
}

variable "credentials" {
  description = "The folder of its certificate, as `meridian pki make` makes it."
  type        = string
}

variable "settings" {
  description = "A folder of files for /etc/meridian (edge.yaml, hub.yaml, keys of tokens), or null."
  type        = string
}

variable "gate_s" {
  description = "For how long it may take until it answers."
  type        = number
}

variable "keep_data" {
  description = "Whether its data stays on the machine when it is removed."
  type        = bool
}
