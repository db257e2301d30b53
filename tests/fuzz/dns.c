#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "host/sinks/dnsmasq/dnsquery.h"

/* The answer to the question for the hosts file's serial: any packet. The first byte says whether the id is put right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char name[] = "serial.callsign.docker";
	struct fuzz_input input = {data, size};
	struct dnsquery_answer answer;
	bool right = fuzz_byte(&input) & 1;
	uint8_t *packet = malloc(input.size + (input.size == 0));
	enum dnsquery_result result;

	fuzz_check(packet != NULL);
	if (input.size > 0)
		memcpy(packet, input.data, input.size);
	if (right && input.size >= 2)
		memcpy(packet, "\x12\x34", 2);
	result = dnsquery_parse(packet, input.size, 0x1234, name, &answer);
	fuzz_check(answer.naddresses <= DNSQUERY_ADDRESSES_MAX && (result == DNSQUERY_ANSWERED) == (answer.naddresses > 0));
	free(packet);
	return 0;
}
