# SPDX-License-Identifier: Apache-2.0

variable "name" {
  description = "What is kept up to date there; part of a path."
  type        = string
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

variable "files" {
  description = "Files to send: where the script finds them, and where they are here. They may be secret."
  type        = map(string)
  validation {
    condition     = alltrue([for place in keys(var.files) : length(regexall("['\\s]", place)) == 0])
    error_message = "Names of files must be without spaces and quotes: ${join(", ", keys(var.files))}."
  }
}

variable "triggers" {
  description = "The script runs again when this changes. It stands in the state: nothing secret."
  type        = any
}

variable "apply" {
  description = "A script for root. Its first two lines set `new`, where the files are, and take it away at the end."
  type        = string
}

variable "remove" {
  description = "A script for root, for when this leaves the machine; null: nothing is to be done."
  type        = string
  default     = null
}
