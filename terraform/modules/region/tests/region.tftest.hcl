# SPDX-License-Identifier: Apache-2.0

# What the module makes of a catalogue, and what it refuses: `terraform test` in modules/region. No
# machine is asked. That it works on machines is tested by tests/deploy.

variables {
  region = "sin"
  deployment = {
    catalogue    = "tests/catalogue.yaml"
    pki          = "tests/pki"
    ssh_key_file = "tests/package"
    packages = {
      for name in ["meridian-edge", "meridian-hub", "meridian-nats", "meridian-cli"] :
      name => { path = "tests/package", sha256 = "644cd159d3879c1dc7003eaf073c66557edb1bf1a43690413cfdd7d0132248cb" }
    }
    hosts = {
      "192.0.2.1"   = { host_key = "ssh-ed25519 AAAA" }
      "2001:db8::2" = { host_key = "ssh-ed25519 AAAA", address = "203.0.113.2", user = "debian" }
      "192.0.2.9"   = { host_key = "ssh-ed25519 AAAA" } # of another region
    }
    runs_on = { "sin-h1" = "192.0.2.1" }
  }
}

run "takes_machines_from_the_catalogue" {
  command = plan
  assert {
    condition = output.machines == {
      "sin-n1" = "192.0.2.1"
      "sin-h1" = "192.0.2.1"
      "sin-1"  = "2001:db8::2"
    }
    error_message = "Machines are taken from addresses, but for those of runs_on."
  }
  assert {
    condition     = output.edges == { "sin-1" = "https://sin-1.example.com" }
    error_message = "Edges are told by the address that clients are told."
  }
  assert {
    condition     = length(module.archive) == 4
    error_message = "A machine gets the packages that its processes need, once each."
  }
}

run "refuses_a_region_that_is_not_in_the_catalogue" {
  command         = plan
  expect_failures = [var.region]
  variables {
    region = "fra"
  }
}

run "refuses_a_region_without_processes" {
  command         = plan
  expect_failures = [terraform_data.checked]
  variables {
    region = "iad"
  }
}

run "refuses_a_catalogue_that_is_none" {
  command         = plan
  expect_failures = [var.deployment]
  variables {
    deployment = merge(var.deployment, { catalogue = "tests/package" })
  }
}

run "refuses_another_file_than_the_hash_says" {
  command         = plan
  expect_failures = [var.deployment]
  variables {
    deployment = merge(var.deployment, {
      packages = merge(var.deployment.packages, {
        "meridian-edge" = { path = "tests/package", sha256 = "0000" }
      })
    })
  }
}

run "refuses_to_go_without_a_package" {
  command         = plan
  expect_failures = [var.deployment]
  variables {
    deployment = merge(var.deployment, {
      packages = { for name, package in var.deployment.packages : name => package if name != "meridian-hub" }
    })
  }
}

run "refuses_a_machine_without_a_host_key" {
  command         = plan
  expect_failures = [var.deployment]
  variables {
    deployment = merge(var.deployment, {
      hosts = merge(var.deployment.hosts, { "192.0.2.1" = { host_key = "" } })
    })
  }
}

run "refuses_a_process_that_no_machine_runs" {
  command         = plan
  expect_failures = [terraform_data.checked]
  variables {
    deployment = merge(var.deployment, {
      hosts = { "192.0.2.1" = var.deployment.hosts["192.0.2.1"] }
    })
  }
}

run "refuses_a_process_without_a_certificate" {
  command         = plan
  expect_failures = [terraform_data.checked]
  variables {
    deployment = merge(var.deployment, { pki = "tests" })
  }
}
