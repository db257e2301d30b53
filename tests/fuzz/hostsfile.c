#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "host/sinks/dnsmasq/hostsfile.h"
#include "shared/clock.h"

/* A hosts file of any origin: every instance that is read could have been announced. */

static void visit(void *arg, const struct announcement *message, const char *user, int64_t until_ms, const struct view_held *listed)
{
	struct announcement copy = *message, again;
	char body[ANNOUNCEMENT_BODY_MAX], error[ANNOUNCEMENT_ERROR_SIZE];
	size_t *count = arg;
	int length;

	++*count;
	fuzz_check(message->op == ANNOUNCEMENT_UP && message->naddresses > 0 && strlen(user) <= POLICY_USER_MAX);
	fuzz_check(until_ms >= 0);
	fuzz_check(listed->addresses >> message->naddresses == 0);
	for (unsigned i = 0; i <= message->naliases; i++)
		fuzz_check(listed->names[i] >> 2 == 0);
	copy.seq = 1;
	copy.lease_s = ANNOUNCEMENT_LEASE_MIN_S;
	length = announcement_encode(&copy, body);
	/* The file holds no more than a message does, but spelt at greater length it may be more than a message. */
	if (length == -1)
		return;
	fuzz_check(announcement_decode(body, (size_t)length, &again, error) == 0);
	/* A place that does not fit is left out. */
	if (!place_known(&again.place) && length > ANNOUNCEMENT_BODY_MAX - (int)sizeof(",\"place\":\"\"") - PLACE_TEXT_LENGTH)
		copy.place = again.place;
	fuzz_check(announcement_same_records(&copy, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char boot[] = "11111111-2222-4333-8444-555555555555";
	static const struct hostsfile_domains domains = {2, {"docker", "lab.example"}};
	struct hostsfile_content content = {0};
	size_t count = 0;

	hostsfile_parse((const char *)data, size, &domains, boot, visit, &count, &content);
	/* Some may be told of again, with all that they have said. */
	fuzz_check(content.instances <= count && (content.instances > 0) == (count > 0));
	fuzz_check(content.serial == HOSTSFILE_SERIAL_NONE ||
	           (content.serial >= HOSTSFILE_SERIAL_MIN && content.serial <= HOSTSFILE_SERIAL_MAX));
	return 0;
}
