/* Which continent a country lies in, for databases that know the country alone. */
#pragma once

/* `country` is an ISO 3166-1 alpha-2 code. A continent's code as GeoIP2 has it, "" when the country
 * is none that is known. Static. */
const char *geo_country_continent(const char *country);
