#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "shared/bus/busconf.h"

/* A list of URLs: what is taken can be shown and read again, and neither an error nor the text holds the password. */

static void check_endpoint(const struct bus_endpoint *endpoint)
{
	char text[1024], error[BUSCONF_ERROR_SIZE];
	struct busconf again;

	fuzz_check(endpoint->host[0] != '\0' && endpoint->user[0] != '\0' && endpoint->vhost[0] != '\0' && endpoint->port != 0);
	fuzz_check(fuzz_is_line(busconf_endpoint_text(endpoint, text, 32)));
	busconf_endpoint_text(endpoint, text, sizeof text);
	if (strlen(text) == sizeof text - 1)
		return; /* was cut */
	busconf_init(&again);
	fuzz_check(busconf_add_url(&again, text, error) == 0);
	fuzz_check(strcmp(again.endpoints[0].host, endpoint->host) == 0 && strcmp(again.endpoints[0].user, endpoint->user) == 0 &&
	           strcmp(again.endpoints[0].vhost, endpoint->vhost) == 0 && again.endpoints[0].port == endpoint->port &&
	           again.endpoints[0].tls == endpoint->tls && again.endpoints[0].password == NULL);
	busconf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *urls = fuzz_text(data, size);
	char error[BUSCONF_ERROR_SIZE] = "";
	struct busconf conf;
	size_t i;

	if (urls == NULL)
		return 0;
	busconf_init(&conf);
	if (busconf_set_urls(&conf, urls, error) == -1)
		fuzz_check(error[0] != '\0' && fuzz_is_line(error) && conf.nendpoints == 0);
	fuzz_check(busconf_set_password(&conf, "secret") == 0);
	for (i = 0; i < conf.nendpoints; i++)
		check_endpoint(&conf.endpoints[i]);
	busconf_clear(&conf);
	free(urls);
	return 0;
}
