# SPDX-License-Identifier: Apache-2.0

variable "region" {
  description = "The region, as the catalogue calls it."
  type        = string
  validation {
    condition = contains(
      [for region in try(yamldecode(file(var.deployment.catalogue)).regions, []) : try(region.name, "")],
      var.region,
    )
    error_message = "The catalogue ${var.deployment.catalogue} cannot be read as YAML, or has no region \"${var.region}\"."
  }
}

variable "deployment" {
  description = "What all regions share: files, machines, packages. One object, so that one file says it for all."
  type = object({
    # The catalogue, and the folder of `meridian pki make`.
    catalogue = string
    pki       = string

    # Debian packages: meridian-edge, meridian-hub, meridian-nats, meridian-cli, and nats-server where
    # the machines' own Debian has none that is new enough.
    packages = map(object({ path = string, sha256 = string }))

    # A machine for each address that processes have in the catalogue.
    hosts = map(object({
      host_key = string           # "ssh-ed25519 AAAA...", of the machine's sshd
      address  = optional(string) # where sshd is, if elsewhere than the key of this map
      port     = optional(number, 22)
      user     = optional(string, "root") # else one who may `sudo` without a password
    }))
    ssh_key_file = string
    ssh_timeout  = optional(string, "30s")

    # Processes whose address in the catalogue is not that of their machine (0.0.0.0, 127.0.0.1).
    runs_on = optional(map(string), {})

    # Folders with what goes into /etc/meridian: edge.yaml and hub.yaml, keys of tokens, certificates.
    settings = optional(object({ edge = optional(string), hub = optional(string) }), {})

    gate_s    = optional(number, 90)         # how long a process may take until it is ready
    keep_data = optional(bool, true)         # leave logs and views on machines that are destroyed
    provision = optional(bool, true)         # `meridian provision` once the region's NATS servers are up
    operator  = optional(string, "operator") # the folder of pki whose certificate does that
  })

  validation {
    condition     = can(yamldecode(file(var.deployment.catalogue)).regions[0].name)
    error_message = "The catalogue ${var.deployment.catalogue} cannot be read, or is no catalogue: ${try(yamldecode(file(var.deployment.catalogue)), null) == null ? "it is not there, or no YAML" : "it names no regions"}."
  }
  validation {
    condition = alltrue([
      for name in ["meridian-edge", "meridian-hub", "meridian-nats", "meridian-cli"] :
      contains(keys(var.deployment.packages), name)
    ])
    error_message = "Four packages are needed: meridian-edge, meridian-hub, meridian-nats and meridian-cli."
  }
  validation {
    condition = alltrue([
      for package in var.deployment.packages : try(filesha256(package.path) == package.sha256, false)
    ])
    error_message = "Not the files that they should be: ${join("; ", [
      for name, package in var.deployment.packages :
      try("${package.path} has SHA-256 ${filesha256(package.path)}, not ${package.sha256}", "${package.path} is not there")
      if !try(filesha256(package.path) == package.sha256, false)
    ])}."
  }
  validation {
    condition = alltrue([
      for host in var.deployment.hosts : can(regex("^(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+", host.host_key))
    ])
    error_message = "Every machine needs its host key, as in known_hosts: without one Terraform would believe any machine."
  }
  validation {
    condition     = fileexists(var.deployment.ssh_key_file)
    error_message = "ssh_key_file ${var.deployment.ssh_key_file} is not there."
  }
}
