#include <config.h>

#include <string.h>

#include "container/announce/conf.h"
#include "fuzz.h"

/* emit.conf: any bytes as the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[HOSTNAME_NAME_SIZE], again[HOSTNAME_NAME_SIZE], why[CONF_MISNOMER_SIZE];
	struct conf conf;

	fuzz_trusts_input = true;
	if (conf_load(&conf, fuzz_file(data, size)) == 0) {
		fuzz_check(conf.renew_s >= CONF_RENEW_MIN_S && conf.renew_s <= CONF_RENEW_MAX_S);
		if (conf_choose_name(&conf, name, why) == 0)
			fuzz_check(hostname_fold(name, strlen(name), again) == HOSTNAME_OK && strcmp(name, again) == 0);
	}
	conf_clear(&conf);
	return 0;
}
