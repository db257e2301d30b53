#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fuzz.h"

/* What the kernel would be asked; the answers are the input. The sequence numbers count from 1 in every run. */
static ssize_t fuzz_send(int fd, const void *message, size_t length, int flags)
{
	(void)fd;
	(void)message;
	(void)flags;
	return (ssize_t)length;
}

#define send fuzz_send
#include "container/addrwatch.c"
#undef send

/* Datagrams of netlink messages (each with its length in front) into the facts about links, addresses and the default route. */

static void check_facts(const struct addrselect_facts *facts)
{
	static const struct address connection = {4, {198, 18, 0, 2}};
	struct addrselect_wish wish = {.ninterfaces = 0};
	struct address chosen[ANNOUNCEMENT_ADDRESSES_MAX];
	unsigned count, i;
	size_t n;

	for (n = 0; n < facts->nlinks; n++)
		fuzz_check(memchr(facts->links[n].name, '\0', IF_NAMESIZE) != NULL);
	for (n = 0; n < facts->naddresses; n++)
		fuzz_check(facts->addresses[n].address.family == 4 || facts->addresses[n].address.family == 6);
	count = addrselect(facts, &wish, &connection, chosen);
	fuzz_check(count <= ANNOUNCEMENT_ADDRESSES_MAX);
	for (i = 0; i < count; i++)
		fuzz_check(address_unusable(&chosen[i]) == NULL);
}

/* Exactly as long as it is, and aligned, as the buffer that the kernel fills. */
static int feed(struct addrwatch *watch, struct fuzz_input datagram)
{
	void *copy = malloc(datagram.size + (datagram.size == 0));
	int result;

	fuzz_check(copy != NULL);
	if (datagram.size > 0)
		memcpy(copy, datagram.data, datagram.size);
	result = read_datagram(watch, copy, datagram.size);
	free(copy);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct addrwatch *watch = calloc(1, sizeof *watch);

	fuzz_check(watch != NULL);
	watch->fd = -1;
	fuzz_check(addrwatch_scan(watch) == 0);
	while (input.size > 0) {
		fuzz_check(feed(watch, fuzz_long(&input)) != -1);
		if (watch->again && watch->stage == STAGE_NONE)
			fuzz_check(addrwatch_scan(watch) == 0);
	}
	if (addrwatch_ready(watch))
		check_facts(addrwatch_facts(watch));
	addrwatch_close(watch);
	return 0;
}
