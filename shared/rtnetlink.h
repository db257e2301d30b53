#ifndef CALLSIGN_RTNETLINK_H
#define CALLSIGN_RTNETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "address.h"

/* A socket (SOCK_CLOEXEC; flags: SOCK_NONBLOCK, or 0) that hears news of these RTMGRP_… groups, if any. -1 with errno. */
int rtnetlink_open(uint32_t groups, int flags);

/* Ask for all of one family: RTM_GET…, AF_…. 0, or -1 with errno. */
int rtnetlink_dump(int fd, uint16_t type, uint8_t family, uint32_t sequence);

/* Ask for one link, by its index: the answer is one RTM_NEWLINK, or NLMSG_ERROR. 0, or -1 with errno. */
int rtnetlink_ask_link(int fd, unsigned index, uint32_t sequence);

/* The next datagram, valid until the next call (of any thread): its length, 0 if it is not the kernel's. -1 with errno; ENOBUFS: some were lost. */
ssize_t rtnetlink_receive(int fd, const void **datagram);

/*
 * Walking what the kernel sends over rtnetlink(7). Not with NLMSG_NEXT and RTA_NEXT: those count what is left down past 0 where a datagram ends
 * within a message's padding. The kernel sends none such, but what would then be read is not the kernel's.
 */

/* The first message of a datagram of *left bytes, aligned as a struct nlmsghdr, and the one after it, which counts *left down; NULL at the end. */
const struct nlmsghdr *rtnetlink_first(const void *datagram, const size_t *left);
const struct nlmsghdr *rtnetlink_next(const struct nlmsghdr *header, size_t *left);

/* Who takes each message but the end of a dump and errors: 0, or -1 with errno. */
struct rtnetlink_taker {
	int (*take)(void *arg, const struct nlmsghdr *header);
	void *arg;
	bool inconsistent; /* set if something changed while a dump was under way: it may lack what did not */
};

/* One datagram. 1: a dump is complete; 0; -1 with errno: what take() or the kernel says, EAGAIN: there was none, ENOBUFS: some were lost. */
int rtnetlink_take(int fd, struct rtnetlink_taker *taker);

/* All of one family, over a socket of its own: RTM_GET…, AF_…. 0, or -1 with errno. */
int rtnetlink_read_all(uint16_t type, uint8_t family, struct rtnetlink_taker *taker);

/* The first of *left bytes of attributes, and the one after it; NULL at the end. */
const struct rtattr *rtnetlink_attribute(const void *attributes, const size_t *left);
const struct rtattr *rtnetlink_attribute_next(const struct rtattr *attribute, size_t *left);

struct rtnetlink_address {
	unsigned link;          /* index of the interface */
	uint32_t flags;         /* IFA_F_… */
	uint8_t prefix_length;
	struct address address; /* this host's */
	struct address peer;    /* the other end's, on a point-to-point link; else the same */
	char label[IFNAMSIZ];   /* IPv4: the interface's name as a rule, see IFA_LABEL in rtnetlink(7); else empty */
};

/* Of RTM_NEWADDR or RTM_DELADDR: 0, or -1 if there is no IPv4 or IPv6 address in it. */
int rtnetlink_read_address(const struct nlmsghdr *header, struct rtnetlink_address *out);

struct rtnetlink_link {
	unsigned index;
	unsigned master;     /* index of the bridge or bond that it is a port of; 0: none */
	char name[IFNAMSIZ];
	char kind[IFNAMSIZ]; /* bridge, veth, …; a network card has none */
};

/* Of RTM_NEWLINK or RTM_DELLINK: 0, or -1. */
int rtnetlink_read_link(const struct nlmsghdr *header, struct rtnetlink_link *out);

#endif
