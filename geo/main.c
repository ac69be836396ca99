#include "geo/geo_command.h"

int main(int argc, char **argv)
{
    return geo_command_run(argc, argv);
}
