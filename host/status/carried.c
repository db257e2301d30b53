#include <config.h>

#include "carried.h"

#include "internal.h"
#include "shared/bus/bus_carried.h"

/* Neither says at run time what it is, or only by its own header, which belongs to one file. */
static const struct {
	const char *library, *version;
} built_with[] = {
	{"libdaemon", LIBDAEMON_VERSION},
#ifdef WITH_LDNS
	{"ldns", LDNS_PACKAGE_VERSION},
#endif
};

json_t *status_carried_json(void)
{
	struct bus_carried carried[BUS_CARRIED_MAX];
	size_t count = bus_carried(carried);
	struct object object = object_new();

	for (size_t i = 0; i < count; i++)
		object_set(&object, carried[i].library, json_string(carried[i].version));
	for (size_t i = 0; i < sizeof built_with / sizeof *built_with; i++)
		object_set(&object, built_with[i].library, json_string(built_with[i].version));
	return object_done(&object);
}

void status_carried_print(FILE *out)
{
	bus_carried_print(out);
	for (size_t i = 0; i < sizeof built_with / sizeof *built_with; i++)
		fprintf(out, "%s %s\n", built_with[i].library, built_with[i].version);
}
