# SPDX-License-Identifier: Apache-2.0
terraform {
  required_version = ">= 1.9.0, < 2.0.0" # terraform_data is built in: no provider is fetched
}
