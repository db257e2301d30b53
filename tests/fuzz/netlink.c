#include <config.h>

#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "shared/rtnetlink.h"

/* What the kernel would be asked; the answers are the input. The sequence numbers count from 1 in every run. */
static int fuzz_dump(int fd, uint16_t type, uint8_t family, uint32_t sequence)
{
	(void)fd;
	(void)type;
	(void)family;
	(void)sequence;
	return 0;
}

static unsigned fuzz_links;

/* Every third link has gone meanwhile, every second one is down. */
static int fuzz_ioctl(int fd, unsigned long what, struct ifreq *request)
{
	(void)fd;
	if (what == SIOCGIFNAME && request->ifr_ifindex % 3 == 0)
		return -1;
	if (what == SIOCGIFNAME)
		memset(request->ifr_name, 'x', sizeof(request->ifr_name));
	else
		request->ifr_flags = (short)(fuzz_links++ % 2 == 0 ? IFF_UP : 0);
	return 0;
}

#define rtnetlink_dump fuzz_dump
#define ioctl fuzz_ioctl
#include "container/announce/addrwatch.c"
#undef rtnetlink_dump
#undef ioctl

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

static int no_socket(void *arg, uint32_t groups)
{
	(void)arg;
	(void)groups;
	return -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct addrwatch *watch = addrwatch_new(no_socket, NULL);

	fuzz_check(watch != NULL);
	fuzz_check(scan_start(watch) == 0);
	while (input.size > 0) {
		if (feed(watch, fuzz_long(&input)) == -1)
			break; /* the kernel refuses the list: the emitter asks anew, of another socket */
		if (watch->again && watch->stage == STAGE_NONE)
			fuzz_check(scan_start(watch) == 0);
	}
	if (addrwatch_ready(watch))
		check_facts(addrwatch_facts(watch));
	addrwatch_free(watch);
	return 0;
}
