/* What a Terraform module needs to steer clients by Route 53, out of the catalogue: variables as
 * JSON, for a file *.auto.tfvars.json.
 *
 * Route 53 ranks by itself, so it comes near geo_rank() and no nearer: the place of each region
 * (geoproximity, weights as a bias), pins of countries and continents (geolocation), health checks.
 * What it cannot do is said and left out: pins of networks and tenants.
 *
 * Source: Terraform 1.9, variable definitions files; Route 53 developer guide, geoproximity. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "catalogue/catalogue.h"

/* Appends the object. `ret_left_out` counts pins that are not in it. -EINVAL as geo_gdnsd_render()
 * for an address of an edge; -ENOMEM. */
MUST_USE int geo_route53_render(const struct catalogue *catalogue, struct text zone,
                                struct buffer *out, size_t *ret_left_out,
                                struct error_text *reterr_why);
/* How much nearer than it is a region of this weight is to seem, -99 to 99: a distance counts
 * times 1 - bias/100, or of a negative bias by 1 + bias/100. */
int geo_route53_bias(uint32_t weight);
