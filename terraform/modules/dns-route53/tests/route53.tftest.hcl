# SPDX-License-Identifier: Apache-2.0

# Which names lead where. It needs the provider, which it never asks anything.

mock_provider "aws" {}
variables {
  zone_id         = "Z1"
  meridian_zone   = "edge.example.com"
  meridian_ttl_s  = 30
  meridian_health = { port = 443, path = "/readyz", interval_s = 10, failures = 2 }
  meridian_regions = {
    sin = { latitude = "1.35", longitude = "103.82", bias = 0, drain = false, a = ["203.0.113.1", "203.0.113.2"], aaaa = [] }
    iad = { latitude = "39.04", longitude = "-77.49", bias = 0, drain = true, a = ["203.0.113.3"], aaaa = ["2001:db8::3"] }
    dub = { latitude = "53.35", longitude = "-6.26", bias = 10, drain = false, a = ["203.0.113.4"], aaaa = [] }
  }
  meridian_pins = { countries = { RU = ["iad", "dub"], US = ["iad"] }, continents = { EU = ["dub"] } }
}
run "names_lead_where_they_should" {
  command = plan
  assert {
    condition     = length(aws_route53_record.near) == 2 && length(aws_route53_record.region) == 4
    error_message = "A region that drains has a name, and is nobody's nearest one."
  }
  assert {
    condition     = aws_route53_record.pin["countries RU A"].alias[0].name == "dub.edge.example.com"
    error_message = "A pin leads to its first region that does not drain, else to its first."
  }
  assert {
    condition     = aws_route53_record.pin["countries US A"].alias[0].name == "iad.edge.example.com"
    error_message = "A pin leads to its first region that does not drain, else to its first."
  }
}
