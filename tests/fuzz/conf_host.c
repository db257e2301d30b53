#include <config.h>

#include "fuzz.h"
#include "host/conf/conf.h"
#include "host/sinks/sections.h"

/* callsignd.conf: any bytes as the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *conf;

	fuzz_trusts_input = true;
	conf = conf_load(fuzz_file(data, size), sinks_sections);
	if (conf != NULL)
		fuzz_check(conf->domain != NULL && conf->hostname != NULL && conf->queue.name != NULL && conf->dnsmasq.hosts_file != NULL);
	conf_free(conf);
	return 0;
}
