#include "geo/country.h"

#include "base/macros.h"

#include <string.h>

/* Codes of two letters, one after another. */
static const struct {
    const char *continent;
    const char *countries;
} continents[] = {
    {"AF", "AOBFBIBJBWCDCFCGCICMCVDJDZEGEHERETGAGHGMGNGQGWKEKMLRLSLYMAMGMLMRMUMWMZNANENG"
           "RERWSCSDSHSLSNSOSSSTSZTDTGTNTZUGYTZAZMZW"},
    {"AN", "AQBVGSHMTF"},
    {"AS", "AEAFAMAZBDBHBNBTCCCNCXCYGEHKIDILINIOIQIRJOJPKGKHKPKRKWKZLALBLKMMMNMOMVMYNPOM"
           "PHPKPSQASASGSYTHTJTMTRTWUZVNYE"},
    {"EU", "ADALATAXBABEBGBYCHCZDEDKEEESFIFOFRGBGGGIGRHRHUIEIMISITJELILTLULVMCMDMEMKMTNL"
           "NOPLPTRORSRUSESISJSKSMUAVAXK"},
    {"NA", "AGAIAWBBBLBMBQBSBZCACRCUCWDMDOGDGLGPGTHNHTJMKNKYLCMFMQMSMXNIPAPMPRSVSXTCTTUS"
           "VCVGVI"},
    {"OC", "ASAUCKFJFMGUKIMHMPNCNFNRNUNZPFPGPNPWSBTKTLTOTVUMVUWFWS"},
    {"SA", "ARBOBRCLCOECFKGFGYPEPYSRUYVE"},
};

const char *geo_country_continent(const char *country)
{
    for (size_t i = 0; i < COUNT_OF(continents); i++)
        for (const char *at = continents[i].countries; *at != '\0'; at += 2)
            if (strncmp(at, country, 2) == 0)
                return continents[i].continent;
    return "";
}
