#include <config.h>

#include "addrwatch.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/backoff.h"
#include "shared/clock.h"
#include "shared/jitter.h"
#include "shared/rtnetlink.h"

#define AGAIN_FIRST_MS 1000
#define AGAIN_MAX_MS 60000

/*
 * One family after the other: a dump of all at once (AF_UNSPEC) waits for the kernel's rtnl lock, which every container that starts or ends elsewhere
 * on the machine holds, for up to 100 ms among many. Since Linux 6.9 a dump of one family does not (of IPv6's routes: 6.10).
 */
enum stage { STAGE_ADDRESSES_IPV4, STAGE_ADDRESSES_IPV6, STAGE_ROUTES_IPV4, STAGE_ROUTES_IPV6, STAGE_LINK, STAGE_NONE };

static const struct {
	uint16_t type;
	uint8_t family;
} dumps[] = {
	[STAGE_ADDRESSES_IPV4] = {RTM_GETADDR, AF_INET},
	[STAGE_ADDRESSES_IPV6] = {RTM_GETADDR, AF_INET6},
	[STAGE_ROUTES_IPV4] = {RTM_GETROUTE, AF_INET},
	[STAGE_ROUTES_IPV6] = {RTM_GETROUTE, AF_INET6},
};

struct addrwatch {
	addrwatch_opener opener;
	void *arg;
	int fd;            /* -1: to be opened at again_at_ms */
	int64_t again_at_ms;
	struct backoff backoff;
	bool lost;
	uint32_t sequence; /* of the dump that is running */
	enum stage stage;
	size_t asked;      /* STAGE_LINK: the link of that place, by next.links */
	bool ready;
	bool again;        /* something changed since the scan began: do another */
	bool broken;       /* the kernel says that this scan is not consistent: its result is worth nothing */
	bool route_changed;
	struct addrselect_facts now, next;
	size_t links_room, addresses_room;
};

static void facts_free(struct addrselect_facts *facts)
{
	free(facts->links);
	free(facts->addresses);
	memset(facts, 0, sizeof(*facts));
}

static void scan_reset(struct addrwatch *watch)
{
	facts_free(&watch->next);
	watch->links_room = watch->addresses_room = 0;
}

/* One dump after the other: the kernel runs only one at a time for a socket. */
static int scan_stage(struct addrwatch *watch, enum stage stage)
{
	watch->stage = stage;
	return rtnetlink_dump(watch->fd, dumps[stage].type, dumps[stage].family, ++watch->sequence);
}

static int scan_start(struct addrwatch *watch)
{
	scan_reset(watch);
	watch->again = watch->broken = false;
	return scan_stage(watch, STAGE_ADDRESSES_IPV4);
}

/* Room for one more at the end of an array, or NULL. */
static void *grow(void **array, size_t count, size_t *room, size_t size)
{
	void *larger;

	if (count == *room) {
		larger = reallocarray(*array, *room == 0 ? 8 : *room * 2, size);
		if (larger == NULL)
			return NULL;
		*array = larger;
		*room = *room == 0 ? 8 : *room * 2;
	}
	memset((char *)*array + count * size, 0, size);
	return (char *)*array + count * size;
}

static void set_flags(struct addrselect_address *address, uint32_t flags)
{
	/* IFA_F_TEMPORARY and IFA_F_SECONDARY are one bit, told apart by the family. */
	address->lesser = (flags & (IFA_F_TEMPORARY | IFA_F_DEPRECATED)) != 0;
	address->temporary = address->address.family == 6 && (flags & IFA_F_TEMPORARY) != 0;
	address->pending = (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED)) == IFA_F_TENTATIVE;
	address->unsettled = address->pending || (flags & IFA_F_DADFAILED) != 0;
}

static int read_address(struct addrwatch *watch, const struct nlmsghdr *header)
{
	void *array = watch->next.addresses;
	struct rtnetlink_address read;
	struct addrselect_address *address;

	if (rtnetlink_read_address(header, &read) == -1)
		return 0;
	address = grow(&array, watch->next.naddresses, &watch->addresses_room, sizeof(*address));
	watch->next.addresses = array;
	if (address == NULL)
		return -1;
	address->link = read.link;
	address->address = read.address;
	set_flags(address, read.flags);
	watch->next.naddresses++;
	return 0;
}

static int read_route(struct addrwatch *watch, const struct nlmsghdr *header)
{
	const struct rtmsg *info = NLMSG_DATA(header);
	size_t left = NLMSG_PAYLOAD(header, sizeof(*info));
	const struct rtattr *attribute = rtnetlink_attribute(RTM_RTA(info), &left);
	bool better = watch->next.default_link == 0; /* each family's in order of their metric */
	uint32_t link;

	if (info->rtm_dst_len != 0 || info->rtm_table != RT_TABLE_MAIN || info->rtm_type != RTN_UNICAST)
		return 0;
	for (; better && attribute != NULL; attribute = rtnetlink_attribute_next(attribute, &left)) {
		if (attribute->rta_type != RTA_OIF || RTA_PAYLOAD(attribute) != sizeof(link))
			continue;
		memcpy(&link, RTA_DATA(attribute), sizeof(link));
		watch->next.default_link = link;
	}
	return 0;
}

/*
 * The link of an address: its name, and whether it is up. A dump of the links (RTM_GETLINK) would wait for the kernel's rtnl lock, too; these two
 * calls take none.
 */
static int add_link(struct addrwatch *watch, unsigned index)
{
	struct ifreq request = {.ifr_ifindex = (int)index};
	struct addrselect_link *link;
	void *array = watch->next.links;

	if (ioctl(watch->fd, SIOCGIFNAME, &request) == -1)
		return 0; /* gone since: the news of it are on the way */
	link = grow(&array, watch->next.nlinks, &watch->links_room, sizeof(*link));
	watch->next.links = array;
	if (link == NULL)
		return -1;
	link->index = index;
	memcpy(link->name, request.ifr_name, sizeof(link->name) - 1);
	link->up = ioctl(watch->fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
	link->mtu = ioctl(watch->fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0 ? (unsigned)request.ifr_mtu : 0;
	link->far_end = ADDRSELECT_NO_FAR_END;
	watch->next.nlinks++;
	return 0;
}

/* Where the links have this one; beyond their end: nowhere. The kernel tells addresses link by link, so it is the one at `near` or behind it as a rule. */
static size_t find_link(const struct addrselect_facts *facts, unsigned index, size_t near)
{
	size_t i;

	for (i = near; i < facts->nlinks && i < near + 2; i++) {
		if (facts->links[i].index == index)
			return i;
	}
	for (i = 0; i < facts->nlinks && facts->links[i].index != index; i++)
		continue;
	return i;
}

static int add_links(struct addrwatch *watch)
{
	const struct addrselect_facts *facts = &watch->next;
	unsigned last = 0; /* no link's */
	size_t i, near = 0, at;

	for (i = 0; i < facts->naddresses; i++) {
		/* Links are told in the order of their numbers: behind the greatest one there can be no place to look for. */
		if (facts->addresses[i].link > last) {
			last = facts->addresses[i].link;
			if (add_link(watch, last) == -1)
				return -1;
			near = facts->nlinks;
			continue;
		}
		at = find_link(facts, facts->addresses[i].link, near > 0 ? near - 1 : 0);
		if (at == facts->nlinks && add_link(watch, facts->addresses[i].link) == -1)
			return -1;
		near = at + 1;
	}
	return 0;
}

static bool facts_equal(const struct addrselect_facts *a, const struct addrselect_facts *b)
{
	return a->nlinks == b->nlinks && a->naddresses == b->naddresses && a->default_link == b->default_link &&
	       (a->nlinks == 0 || memcmp(a->links, b->links, a->nlinks * sizeof(*a->links)) == 0) &&
	       (a->naddresses == 0 || memcmp(a->addresses, b->addresses, a->naddresses * sizeof(*a->addresses)) == 0);
}

/*
 * Whether it matters where a link's cable leads: only to tell an overlay network's from docker_gwbridge's (addrselect.c), so only where one has a smaller MTU than
 * that of the default route, and then of these two kinds. To ask for a link takes the kernel's rtnl lock, which addresses and routes do not.
 */
static bool link_matters(const struct addrselect_link *way_out, const struct addrselect_link *link)
{
	return link == way_out || link->mtu < way_out->mtu;
}

/* The link of the default route, if any other has a smaller MTU; else NULL. */
static const struct addrselect_link *find_way_out(const struct addrselect_facts *facts)
{
	const struct addrselect_link *way_out = NULL;
	bool smaller = false;

	for (size_t i = 0; i < facts->nlinks; i++)
		if (facts->links[i].index == facts->default_link)
			way_out = &facts->links[i];
	for (size_t i = 0; way_out != NULL && i < facts->nlinks; i++)
		smaller |= facts->links[i].mtu < way_out->mtu;
	return smaller ? way_out : NULL;
}

/* From the place watch->asked on. 1: a question is on its way; 0: there is none left; -1 with errno. */
static int ask_next_link(struct addrwatch *watch)
{
	const struct addrselect_link *way_out = find_way_out(&watch->next);

	for (; way_out != NULL && watch->asked < watch->next.nlinks; watch->asked++) {
		const struct addrselect_link *link = &watch->next.links[watch->asked];

		if (!link_matters(way_out, link))
			continue;
		watch->stage = STAGE_LINK;
		return rtnetlink_ask_link(watch->fd, link->index, ++watch->sequence) == -1 ? -1 : 1;
	}
	return 0;
}

/* The answer for one link. Gone meanwhile, or of a kernel that does not say: then nothing is known of its far end. */
static void read_link(struct addrwatch *watch, const struct nlmsghdr *header)
{
	const struct ifinfomsg *info = NLMSG_DATA(header);
	size_t left = NLMSG_PAYLOAD(header, sizeof(*info));
	const struct rtattr *attribute;
	int32_t far_end;

	if (header->nlmsg_type != RTM_NEWLINK || header->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) || watch->asked >= watch->next.nlinks)
		return;
	for (attribute = rtnetlink_attribute(IFLA_RTA(info), &left); attribute != NULL; attribute = rtnetlink_attribute_next(attribute, &left)) {
		if (attribute->rta_type != IFLA_LINK_NETNSID || RTA_PAYLOAD(attribute) != sizeof(far_end))
			continue;
		memcpy(&far_end, RTA_DATA(attribute), sizeof(far_end));
		watch->next.links[watch->asked].far_end = far_end >= 0 ? far_end : ADDRSELECT_NO_FAR_END;
	}
}

/* A stage is over: 1 if that completed a scan which found something new. */
static int stage_done(struct addrwatch *watch)
{
	bool changed;
	int asks;

	if (watch->stage == STAGE_ADDRESSES_IPV6 && add_links(watch) == -1)
		return -1;
	/* IPv6's routes matter only if there is no other default route. */
	if (watch->stage < STAGE_ROUTES_IPV4 || (watch->stage == STAGE_ROUTES_IPV4 && watch->next.default_link == 0))
		return scan_stage(watch, watch->stage + 1);
	watch->asked = watch->stage == STAGE_LINK ? watch->asked + 1 : 0;
	asks = ask_next_link(watch);
	if (asks != 0)
		return asks == 1 ? 0 : -1;
	watch->stage = STAGE_NONE;
	if (watch->broken)
		return scan_start(watch);
	changed = !watch->ready || watch->route_changed || !facts_equal(&watch->now, &watch->next);
	watch->ready = true;
	watch->lost = false;
	backoff_reset(&watch->backoff);
	watch->route_changed = false;
	facts_free(&watch->now);
	watch->now = watch->next;
	memset(&watch->next, 0, sizeof(watch->next));
	scan_reset(watch);
	return changed;
}

/* A kernel that does not know a family dumps all others instead. */
static bool is_asked_for(const struct addrwatch *watch, const struct nlmsghdr *header)
{
	const struct rtgenmsg *info = NLMSG_DATA(header);

	return header->nlmsg_len >= NLMSG_LENGTH(sizeof(*info)) && info->rtgen_family == dumps[watch->stage].family;
}

#define ERRNO_MAX 4095 /* the kernel's own MAX_ERRNO */

/*
 * How a dump ended, as an errno. A kernel that knows no such table is none to complain of: we go on without it. Anything else means that we do not have what is
 * there: to announce half of it would be a lie.
 */
static int dump_error(const struct nlmsghdr *header)
{
	size_t room = header->nlmsg_type == NLMSG_ERROR ? sizeof(struct nlmsgerr) : sizeof(int);
	int error = 0;

	if (header->nlmsg_len >= NLMSG_LENGTH(room)) /* of both the first thing in it, negative; an old kernel's NLMSG_DONE is empty */
		memcpy(&error, NLMSG_DATA(header), sizeof(error));
	if (error == 0 || error == -EOPNOTSUPP || error == -EAFNOSUPPORT)
		return 0;
	return error < 0 && error >= -ERRNO_MAX ? -error : EPROTO;
}

static int read_dumped(struct addrwatch *watch, const struct nlmsghdr *header)
{
	if (watch->stage == STAGE_LINK) {
		read_link(watch, header);
		return stage_done(watch);
	}
	if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
		watch->broken = true;
	switch (header->nlmsg_type) {
	case NLMSG_DONE:
	case NLMSG_ERROR:
		if (dump_error(header) == 0)
			return stage_done(watch);
		errno = dump_error(header);
		return -1;
	case RTM_NEWADDR:
		return is_asked_for(watch, header) ? read_address(watch, header) : 0;
	case RTM_NEWROUTE:
		return is_asked_for(watch, header) && NLMSG_PAYLOAD(header, 0) >= sizeof(struct rtmsg) ? read_route(watch, header) : 0;
	default:
		return 0;
	}
}

static int read_datagram(struct addrwatch *watch, const void *datagram, size_t left)
{
	const struct nlmsghdr *header;
	int changed = 0, result;

	for (header = rtnetlink_first(datagram, &left); header != NULL; header = rtnetlink_next(header, &left)) {
		if (watch->stage != STAGE_NONE && header->nlmsg_seq == watch->sequence) {
			result = read_dumped(watch, header);
			if (result == -1)
				return -1;
			changed |= result;
		} else if (header->nlmsg_type == RTM_NEWROUTE || header->nlmsg_type == RTM_DELROUTE) {
			watch->again = watch->route_changed = true;
		} else if (header->nlmsg_type >= RTM_BASE) {
			watch->again = true; /* news: what exactly, the scan will tell */
		}
	}
	return changed;
}

/*
 * What is there, but no more than that at a time: whoever adds and removes addresses all the while must not keep the caller, who may have others to look after,
 * and a dump that such changes break is begun anew from here.
 */
#define DATAGRAMS_MAX 64

static int read_some(struct addrwatch *watch)
{
	const void *datagram;
	int changed = 0, result;

	for (unsigned i = 0; i < DATAGRAMS_MAX; i++) {
		ssize_t length = rtnetlink_receive(watch->fd, &datagram);

		if (length == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (length == -1 && errno != ENOBUFS)
			return -1;
		if (length == -1) {
			watch->again = true;
			continue;
		}
		result = read_datagram(watch, datagram, (size_t)length);
		if (result == -1)
			return -1;
		changed |= result;
	}
	if (watch->again && watch->stage == STAGE_NONE && scan_start(watch) == -1)
		return -1;
	return changed;
}

static int open_own(void *arg, uint32_t groups)
{
	(void)arg;
	return rtnetlink_open(groups, SOCK_NONBLOCK);
}

struct addrwatch *addrwatch_new(addrwatch_opener opener, void *arg)
{
	struct addrwatch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return NULL;
	watch->opener = opener != NULL ? opener : open_own;
	watch->arg = arg;
	watch->fd = -1;
	watch->stage = STAGE_NONE;
	backoff_init(&watch->backoff, AGAIN_FIRST_MS, AGAIN_MAX_MS);
	return watch;
}

void addrwatch_free(struct addrwatch *watch)
{
	if (watch == NULL)
		return;
	if (watch->fd != -1)
		close(watch->fd);
	facts_free(&watch->now);
	facts_free(&watch->next);
	free(watch);
}

/* Of setns(2), socket(2) and a dump: the process is gone, or we may not, and shall not. */
static bool is_for_good(int error)
{
	return error == EPERM || error == EACCES || error == ESRCH || error == EAFNOSUPPORT || error == EPROTONOSUPPORT || error == ENOSYS || error == EINVAL;
}

static void lose(struct addrwatch *watch, int64_t again_at_ms)
{
	int saved = errno;

	if (watch->fd != -1)
		close(watch->fd);
	watch->fd = -1;
	watch->stage = STAGE_NONE;
	scan_reset(watch);
	watch->lost = watch->route_changed = true; /* for all that we know */
	watch->again_at_ms = again_at_ms;
	errno = saved;
}

void addrwatch_lose(struct addrwatch *watch, int64_t now_ms)
{
	lose(watch, now_ms + backoff_next(&watch->backoff, jitter_bits()));
}

static int begin(struct addrwatch *watch)
{
	watch->fd = watch->opener(watch->arg, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
	return watch->fd != -1 ? scan_start(watch) : -1;
}

int addrwatch_step(struct addrwatch *watch, bool readable, int64_t now_ms)
{
	bool was_lost;
	int result = 0;

	if (watch == NULL)
		return 0;
	was_lost = watch->lost;
	if (watch->fd == -1 && now_ms >= watch->again_at_ms)
		result = begin(watch);
	else if (watch->fd != -1 && readable)
		result = read_some(watch);
	if (result != -1)
		return result;
	if (is_for_good(errno)) {
		lose(watch, CLOCK_NEVER);
		watch->ready = true; /* nothing better will come */
	} else {
		addrwatch_lose(watch, now_ms);
	}
	return was_lost ? 0 : -1;
}

int64_t addrwatch_deadline_ms(const struct addrwatch *watch)
{
	return watch != NULL && watch->fd == -1 ? watch->again_at_ms : CLOCK_NEVER;
}

bool addrwatch_is_lost(const struct addrwatch *watch)
{
	return watch != NULL && watch->lost;
}

int addrwatch_fd(const struct addrwatch *watch)
{
	return watch != NULL ? watch->fd : -1;
}

bool addrwatch_ready(const struct addrwatch *watch)
{
	return watch != NULL && watch->ready;
}

const struct addrselect_facts *addrwatch_facts(const struct addrwatch *watch)
{
	static const struct addrselect_facts none;

	return watch != NULL ? &watch->now : &none;
}
