# SPDX-License-Identifier: Apache-2.0

# Steering by Route 53 instead of name servers of one's own: near the ranking, and no nearer, see
# docs/geo.md. Names: REGION.ZONE is a region, near.ZONE the nearest one by distance and bias, and ZONE
# is that, but where a pin says otherwise. A name is all of one kind of routing, so it takes three.

terraform {
  required_version = ">= 1.9.0, < 2.0.0"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

locals {
  # "REGION A": what Route 53 shall answer for the region.
  answers = merge([
    for name, region in var.meridian_regions : {
      for type, addresses in { A = region.a, AAAA = region.aaaa } :
      "${name} ${type}" => { region = name, type = type, addresses = addresses } if length(addresses) > 0
    }
  ]...)
  types = toset([for answer in local.answers : answer.type])
  edges = merge([
    for name, region in var.meridian_regions : { for address in concat(region.a, region.aaaa) : address => name }
  ]...)

  # A region that drains is nobody's nearest one, unless all do.
  awake = [for name, region in var.meridian_regions : name if !region.drain]
  near = {
    for key, answer in local.answers : key => answer
    if contains(local.awake, answer.region) || length(local.awake) == 0
  }

  # "countries RU A": of the pin's regions the first one that does not drain, else the first.
  pinned = flatten([
    for kind, pins in var.meridian_pins : [
      for place, regions in pins : [
        for type in local.types : {
          kind = kind, place = place, type = type
          regions = [
            for name in concat([for name in regions : name if contains(local.awake, name)], regions) : name
            if contains(keys(local.answers), "${name} ${type}")
          ]
        }
      ]
    ]
  ])
  pins = {
    for pin in local.pinned : "${pin.kind} ${pin.place} ${pin.type}" => merge(pin, { region = pin.regions[0] })
    if length(pin.regions) > 0
  }
}

resource "aws_route53_health_check" "edge" {
  for_each          = local.edges
  type              = var.https ? "HTTPS" : "HTTP"
  ip_address        = each.key
  port              = var.meridian_health.port
  resource_path     = var.meridian_health.path
  request_interval  = var.meridian_health.interval_s >= 30 ? 30 : 10 # the two there are
  failure_threshold = var.meridian_health.failures
  fqdn              = var.https ? var.meridian_zone : null
  enable_sni        = var.https
}

# A region is up while one of its edges is.
resource "aws_route53_health_check" "region" {
  for_each               = var.meridian_regions
  type                   = "CALCULATED"
  child_health_threshold = 1
  child_healthchecks     = [for address, region in local.edges : aws_route53_health_check.edge[address].id if region == each.key]
}

resource "aws_route53_record" "region" {
  for_each = local.answers
  zone_id  = var.zone_id
  name     = "${each.value.region}.${var.meridian_zone}"
  type     = each.value.type
  ttl      = var.meridian_ttl_s
  records  = each.value.addresses
}

resource "aws_route53_record" "near" {
  for_each        = local.near
  zone_id         = var.zone_id
  name            = "near.${var.meridian_zone}"
  type            = each.value.type
  ttl             = var.meridian_ttl_s
  records         = each.value.addresses
  set_identifier  = each.value.region
  health_check_id = aws_route53_health_check.region[each.value.region].id
  geoproximity_routing_policy {
    bias = var.meridian_regions[each.value.region].bias
    coordinates {
      latitude  = var.meridian_regions[each.value.region].latitude
      longitude = var.meridian_regions[each.value.region].longitude
    }
  }
}

resource "aws_route53_record" "default" {
  for_each       = toset([for answer in local.near : answer.type])
  depends_on     = [aws_route53_record.near]
  zone_id        = var.zone_id
  name           = var.meridian_zone
  type           = each.key
  set_identifier = "near"
  geolocation_routing_policy {
    country = "*"
  }
  alias {
    zone_id                = var.zone_id
    name                   = "near.${var.meridian_zone}"
    evaluate_target_health = false # with nobody up any answer is better than none
  }
}

resource "aws_route53_record" "pin" {
  for_each       = local.pins
  depends_on     = [aws_route53_record.region]
  zone_id        = var.zone_id
  name           = var.meridian_zone
  type           = each.value.type
  set_identifier = "${each.value.kind}-${each.value.place}"
  geolocation_routing_policy {
    country   = each.value.kind == "countries" ? each.value.place : null
    continent = each.value.kind == "continents" ? each.value.place : null
  }
  alias {
    zone_id                = var.zone_id
    name                   = "${each.value.region}.${var.meridian_zone}"
    evaluate_target_health = false # a pin fails closed
  }
}
