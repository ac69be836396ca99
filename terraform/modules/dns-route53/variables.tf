# SPDX-License-Identifier: Apache-2.0

variable "zone_id" {
  description = "The hosted zone."
  type        = string
}

variable "https" {
  description = "Whether edges are asked by TLS."
  type        = bool
  default     = true
}

# These are what `meridian-geo render route53` writes into meridian.auto.tfvars.json.

variable "meridian_zone" {
  description = "The name that clients ask for."
  type        = string
}

variable "meridian_ttl_s" {
  description = "How long an answer may be kept."
  type        = number
}

variable "meridian_health" {
  description = "How edges are asked."
  type        = object({ port = number, path = string, interval_s = number, failures = number })
}

variable "meridian_regions" {
  description = "The regions."
  type = map(object({
    latitude = string, longitude = string, bias = number, drain = bool
    a        = list(string), aaaa = list(string)
  }))
}

variable "meridian_pins" {
  description = "Countries and continents, and their regions."
  type        = object({ countries = map(list(string)), continents = map(list(string)) })
}
