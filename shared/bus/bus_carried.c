#include <config.h>

#include "bus_carried.h"

#include <confuse.h>
#include <jansson.h>
#include <string.h>

#include "bus_amqp.h"
#include "bus_tls.h"

#ifdef RABBITMQ_PACKAGE
#define RABBITMQ_FROM RABBITMQ_PACKAGE
#else
#define RABBITMQ_FROM ""
#endif
#ifdef OPENSSL_PACKAGE
#define OPENSSL_FROM OPENSSL_PACKAGE
#else
#define OPENSSL_FROM ""
#endif

static size_t add(struct bus_carried *out, size_t count, const char *library, const char *version, const char *package)
{
	out[count].library = library;
	if (package[0] == '\0')
		snprintf(out[count].version, sizeof out[count].version, "%.30s", version);
	else
		snprintf(out[count].version, sizeof out[count].version, "%.15s (package %.36s)", version, package);
	return count + 1;
}

size_t bus_carried(struct bus_carried out[BUS_CARRIED_MAX])
{
	size_t count = add(out, 0, "librabbitmq", amqp_version(), RABBITMQ_FROM);

#ifdef WITH_TLS
	count = add(out, count, "OpenSSL", bus_tls_version(), OPENSSL_FROM);
#endif
	count = add(out, count, "jansson", jansson_version_str(), "");
	return add(out, count, "libconfuse", confuse_version, "");
}

const char *bus_carried_agent(const char *program, char *out, size_t size)
{
	snprintf(out, size, "%s/" PACKAGE_VERSION " librabbitmq/%.36s", program, RABBITMQ_FROM[0] != '\0' ? RABBITMQ_FROM : amqp_version());
	return out;
}

void bus_carried_print(FILE *out)
{
	struct bus_carried carried[BUS_CARRIED_MAX];
	size_t count = bus_carried(carried);

	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s %s\n", carried[i].library, carried[i].version);
}
