#include <config.h>

#include "container/conf.h"
#include "fuzz.h"

/* emit.conf: any bytes as the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf conf;

	fuzz_trusts_input = true;
	if (conf_load(&conf, fuzz_file(data, size)) == 0)
		fuzz_check(conf.renew_s >= CONF_RENEW_MIN_S && conf.renew_s <= CONF_RENEW_MAX_S);
	conf_clear(&conf);
	return 0;
}
