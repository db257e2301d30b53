#include <config.h>

#include "microhttpd.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static int complain(char *error, size_t size)
{
	const char *reason = dlerror();

	snprintf(error, size, "%s", reason != NULL ? reason : "for no reason given");
	return -1;
}

/* function: a pointer to the pointer. */
static int find(void *library, const char *name, void *function, char *error, size_t size)
{
	void *symbol = dlsym(library, name);

	if (symbol == NULL)
		return complain(error, size);
	memcpy(function, &symbol, sizeof symbol);
	return 0;
}

int microhttpd_load(const char *soname, struct microhttpd *out, char *error, size_t size)
{
	struct microhttpd loaded;
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return complain(error, size);
#define MICROHTTPD_FIND(name)                                              \
	if (find(library, "MHD_" #name, &loaded.name, error, size) == -1) \
		return -1;
	MICROHTTPD_FUNCTIONS(MICROHTTPD_FIND)
#undef MICROHTTPD_FIND
	*out = loaded;
	return 0;
}
