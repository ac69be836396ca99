# SPDX-License-Identifier: Apache-2.0

# Machines of a region in AWS, and their names in Route 53.

terraform {
  required_version = ">= 1.9.0, < 2.0.0"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "vpc" {
  description = "The id of the VPC of the subnet."
  type        = string
}

variable "image" {
  description = "The id of Debian 12's image in this region of AWS."
  type        = string
}

locals {
  user             = "admin" # of Debian's images
  public_addresses = { for name, address in aws_eip.machine : name => address.public_ip }

  # What comes in: from whom, to which ports. No port: all.
  ingress = merge(
    { for network in var.operator_networks : "ssh ${network}" => { network = network, port = 22 } },
    { for network in var.inside_networks : "inside ${network}" => { network = network, port = null } },
    { "clients" = { network = "0.0.0.0/0", port = var.edge_port } },
  )
}

resource "aws_key_pair" "operator" {
  key_name   = "meridian-${var.region}"
  public_key = var.ssh_public_key
}

resource "aws_security_group" "machine" {
  name        = "meridian-${var.region}"
  description = "Machines of a Meridian region"
  vpc_id      = var.vpc
}

resource "aws_vpc_security_group_ingress_rule" "machine" {
  for_each          = local.ingress
  security_group_id = aws_security_group.machine.id
  ip_protocol       = each.value.port == null ? "-1" : "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.network
}

resource "aws_vpc_security_group_egress_rule" "machine" {
  security_group_id = aws_security_group.machine.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_instance" "machine" {
  for_each                = var.machines
  ami                     = var.image
  instance_type           = each.value.type
  availability_zone       = each.value.zone
  subnet_id               = var.subnet
  private_ip              = each.value.address
  key_name                = aws_key_pair.operator.key_name
  vpc_security_group_ids  = [aws_security_group.machine.id]
  disable_api_termination = true
  tags                    = { Name = "meridian-${each.key}" }

  root_block_device {
    volume_size = each.value.disk_gb
    volume_type = "gp3"
    encrypted   = true
  }
  metadata_options {
    http_tokens = "required"
  }
  lifecycle {
    ignore_changes = [ami] # a new image is no reason to throw logs away
  }
}

resource "aws_eip" "machine" {
  for_each = var.machines
  instance = aws_instance.machine[each.key].id
  domain   = "vpc"
}

resource "aws_route53_record" "name" {
  for_each = var.dns_zone == null ? {} : var.names
  zone_id  = var.dns_zone
  name     = each.key
  type     = "A"
  ttl      = 30
  records  = [local.public_addresses[each.value]]
}
