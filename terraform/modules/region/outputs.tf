# SPDX-License-Identifier: Apache-2.0

output "edges" {
  description = "The address that clients are told, of each edge."
  value       = { for edge in try(local.region.edges, []) : edge.name => edge.url }
}

output "machines" {
  description = "On which machine each process is."
  value       = local.machine
}

output "packages" {
  description = "SHA-256 of what is installed."
  value       = local.sha256
}
