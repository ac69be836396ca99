# SPDX-License-Identifier: Apache-2.0

# A root and a state for this region alone: what goes wrong here touches no other.
terraform {
  required_version = ">= 1.9.0, < 2.0.0"
  backend "local" {} # or another one, in a backend_override.tf
}

variable "deployment" {
  description = "What all regions share: see modules/region."
  type        = any
}

module "region" {
  source     = "../../modules/region"
  region     = "dub"
  deployment = var.deployment
}

output "edges" {
  value = module.region.edges
}
