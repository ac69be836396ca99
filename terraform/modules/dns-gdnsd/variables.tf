# SPDX-License-Identifier: Apache-2.0

variable "catalogue" {
  description = "The file of the catalogue, the same as the regions'."
  type        = string
  validation {
    condition     = can(yamldecode(file(var.catalogue)).regions[0].name)
    error_message = "The catalogue ${var.catalogue} cannot be read, or names no regions."
  }
}

variable "zone" {
  description = "The name that clients ask for. Delegate it to all the servers."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", var.zone))
    error_message = "The zone is a name in lower case, without a dot at its end."
  }
}

variable "servers" {
  description = "The name servers, by the name that each has within the zone (ns1)."
  type = map(object({
    listen   = string # the address and port where gdnsd answers
    address  = string # where sshd is
    host_key = string
    port     = optional(number, 22)
    user     = optional(string, "root") # else one who may `sudo` without a password
  }))
  validation {
    condition = alltrue([
      for name, server in var.servers : can(regex("^[a-z0-9-]+$", name)) && can(regex("^[0-9a-fA-F.:\\[\\]]+:[0-9]+$", server.listen))
    ])
    error_message = "Names are of letters, digits and dashes; `listen` is an address with a port."
  }
  validation {
    condition = alltrue([
      for server in var.servers : can(regex("^(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+", server.host_key))
    ])
    error_message = "Every machine needs its host key, as in known_hosts: without one Terraform would believe any machine."
  }
}

variable "ssh_key_file" {
  description = "The file of the key that logs in."
  type        = string
}

variable "ssh_timeout" {
  description = "How long a machine is tried."
  type        = string
  default     = "30s"
}

variable "package" {
  description = "The Debian package meridian-geo. gdnsd itself is Debian's."
  type        = object({ path = string, sha256 = string })
  validation {
    condition     = try(filesha256(var.package.path) == var.package.sha256, false)
    error_message = "${var.package.path} is not there, or has another SHA-256."
  }
}

variable "database" {
  description = "The MaxMind DB file that says where addresses are."
  type        = object({ path = string, sha256 = string })
  validation {
    condition     = try(filesha256(var.database.path) == var.database.sha256, false)
    error_message = "${var.database.path} is not there, or has another SHA-256."
  }
}

variable "known" {
  description = "Addresses whose country the database must know, as IP=CC; empty: those that `meridian-geo check` asks by itself."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for known in var.known : can(regex("^[0-9a-fA-F.:]+=[A-Z]{2}$", known))])
    error_message = "A known address is IP=CC."
  }
}
