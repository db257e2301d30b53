#include <config.h>

#include "localnet.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/rtnetlink.h"

#define TRIES 3

struct localnet {
	struct localnet_bridge *array;
	size_t count;
};

/* A bridge, or a port of one. */
struct link {
	unsigned index;
	bool bridge; /* else a port that goes on beyond this host */
	char name[IFNAMSIZ]; /* a bridge's */
};

struct links {
	struct link *array;
	size_t count, room;
};

/* ---- the links ---- */

static int links_add(struct links *links, const struct link *link)
{
	size_t room = links->room == 0 ? 16 : links->room * 2;
	struct link *larger;

	if (links->count == links->room) {
		larger = reallocarray(links->array, room, sizeof *larger);
		if (larger == NULL)
			return -1;
		links->array = larger;
		links->room = room;
	}
	links->array[links->count++] = *link;
	return 0;
}

/* What stays on this host, whatever is plugged into it. */
static bool is_of_this_host(const struct rtnetlink_link *link)
{
	static const char *const kinds[] = {"veth", "tun", "dummy"};
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(link->kind, kinds[i]) == 0)
			return true;
	}
	return false;
}

static int take_message(void *arg, const struct nlmsghdr *header)
{
	struct links *links = arg;
	struct rtnetlink_link link;
	struct link found = {.bridge = true};

	if (header->nlmsg_type != RTM_NEWLINK || rtnetlink_read_link(header, &link) == -1)
		return 0;
	found.index = link.index;
	memcpy(found.name, link.name, sizeof found.name);
	if (strcmp(link.kind, "bridge") == 0 && links_add(links, &found) == -1)
		return -1;
	if (link.master != 0 && !is_of_this_host(&link))
		return links_add(links, &(struct link){.index = link.master});
	return 0;
}

/* A dump during which links change may lack one that did not: only one without counts. -1 with errno; EAGAIN: they change all the time. */
static int read_links(struct links *links)
{
	for (unsigned i = 0; i < TRIES; i++) {
		struct rtnetlink_taker taker = {.take = take_message, .arg = links};

		links->count = 0;
		if (rtnetlink_read_all(RTM_GETLINK, AF_UNSPEC, &taker) == -1)
			return -1;
		if (!taker.inconsistent)
			return 0;
	}
	errno = EAGAIN;
	return -1;
}

/* The name of a bridge with no way out, or NULL: it is none. */
static const char *own_bridge(const struct links *links, unsigned index)
{
	const char *name = NULL;
	size_t i;

	for (i = 0; i < links->count; i++) {
		if (links->array[i].index != index)
			continue;
		if (!links->array[i].bridge)
			return NULL;
		name = links->array[i].name;
	}
	return name;
}

/* ---- the subnets ---- */

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct localnet_bridge));
}

static struct prefix subnet_of(const struct rtnetlink_address *entry)
{
	struct prefix subnet = {.base = entry->address, .length = entry->prefix_length};
	unsigned bit;

	for (bit = subnet.length; bit < 8 * sizeof subnet.base.bytes; bit++)
		subnet.base.bytes[bit / 8] &= (uint8_t)~(0x80U >> bit % 8);
	return subnet;
}

/* Of the bridges. -1 with errno. */
static int make_list(struct localnet *out, const struct links *links, const struct localaddr *localaddr)
{
	const struct rtnetlink_address *entries;
	size_t count, i;

	entries = localaddr_entries(localaddr, &count);
	out->array = calloc(count + 1, sizeof *out->array);
	if (out->array == NULL)
		return -1;
	for (i = 0; i < count; i++) {
		const struct rtnetlink_address *entry = &entries[i];
		unsigned most = entry->address.family == 4 ? 32 : 128;
		const char *name = own_bridge(links, entry->link);

		/* One that is its own network has nothing in it besides. */
		if (name == NULL || entry->prefix_length == 0 || entry->prefix_length >= most || address_unusable(&entry->address) != NULL)
			continue;
		out->array[out->count].subnet = subnet_of(entry);
		snprintf(out->array[out->count++].name, sizeof out->array[0].name, "%s", name);
	}
	qsort(out->array, out->count, sizeof *out->array, compare);
	return 0;
}

/* ---- the public functions ---- */

struct localnet *localnet_new(void)
{
	return calloc(1, sizeof(struct localnet));
}

void localnet_free(struct localnet *localnet)
{
	if (localnet == NULL)
		return;
	free(localnet->array);
	free(localnet);
}

int localnet_read(struct localnet *localnet, const struct localaddr *localaddr)
{
	struct localnet fresh = {.array = NULL};
	struct links links = {.array = NULL};
	bool same;

	if (read_links(&links) == -1 || make_list(&fresh, &links, localaddr) == -1) {
		int saved = errno;

		free(links.array);
		errno = saved;
		return -1;
	}
	free(links.array);
	same = fresh.count == localnet->count && (fresh.count == 0 || memcmp(fresh.array, localnet->array, fresh.count * sizeof *fresh.array) == 0);
	free(localnet->array);
	*localnet = fresh;
	return same ? 0 : 1;
}

const struct localnet_bridge *localnet_bridges(const struct localnet *localnet, size_t *count)
{
	*count = localnet->count;
	return localnet->array;
}

bool localnet_has(const struct localnet *localnet, const struct address *address)
{
	size_t i;

	for (i = 0; i < localnet->count; i++) {
		if (prefix_contains(&localnet->array[i].subnet, address))
			return true;
	}
	return false;
}
