# SPDX-License-Identifier: Apache-2.0

variable "name" {
  description = "Its name there, without the hash: NAME_SHA256.EXTENSION in /var/cache/meridian-deploy."
  type        = string
}

variable "extension" {
  description = "How its name ends."
  type        = string
  default     = "deb"
}

variable "path" {
  description = "The file here."
  type        = string
}

variable "sha256" {
  description = "What its bytes must be, here and there."
  type        = string
}

variable "host" {
  description = "The machine: as modules/remote has it."
  type = object({
    address  = string
    port     = number
    user     = string
    host_key = string
    key_file = string
    timeout  = string
  })
}
