#include <config.h>

#include "rtnetlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_SIZE 16384 /* the kernel fills at most this much of a dump into one datagram for a reader of this size */

int rtnetlink_open(uint32_t groups, int flags)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);
	int saved;

	if (fd == -1 || bind(fd, (const struct sockaddr *)&local, sizeof(local)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int rtnetlink_dump(int fd, uint16_t type, uint8_t family, uint32_t sequence)
{
	struct {
		struct nlmsghdr header;
		struct rtgenmsg body;
	} message = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)), .nlmsg_type = type,
	                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = sequence},
		.body = {.rtgen_family = family},
	};

	return send(fd, &message, message.header.nlmsg_len, 0) == -1 ? -1 : 0;
}

int rtnetlink_ask_link(int fd, unsigned index, uint32_t sequence)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg body;
	} message = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST,
	                   .nlmsg_seq = sequence},
		.body = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index},
	};

	return send(fd, &message, message.header.nlmsg_len, 0) == -1 ? -1 : 0;
}

ssize_t rtnetlink_receive(int fd, const void **datagram)
{
	static union {
		struct nlmsghdr header; /* for its alignment */
		char bytes[RECEIVE_SIZE];
	} buffer;
	struct sockaddr_nl from;
	struct iovec vector = {.iov_base = buffer.bytes, .iov_len = sizeof(buffer.bytes)};
	struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &vector, .msg_iovlen = 1};
	ssize_t length;

	*datagram = buffer.bytes;
	do
		length = recvmsg(fd, &message, 0);
	while (length == -1 && errno == EINTR);
	if (length == -1)
		return -1;
	if ((message.msg_flags & MSG_TRUNC) != 0) {
		errno = ENOBUFS;
		return -1;
	}
	return from.nl_pid == 0 ? length : 0; /* only the kernel is believed */
}

const struct nlmsghdr *rtnetlink_first(const void *datagram, const size_t *left)
{
	const struct nlmsghdr *header = datagram;

	if (*left < sizeof(*header) || header->nlmsg_len < sizeof(*header) || header->nlmsg_len > *left)
		return NULL;
	return header;
}

const struct nlmsghdr *rtnetlink_next(const struct nlmsghdr *header, size_t *left)
{
	size_t step = NLMSG_ALIGN((size_t)header->nlmsg_len);

	if (step >= *left)
		return NULL;
	*left -= step;
	return rtnetlink_first((const char *)header + step, left);
}

/* NLMSG_DONE says at its end how a dump ended. */
static int dump_result(const struct nlmsghdr *header)
{
	int error = 0;

	if (header->nlmsg_len >= NLMSG_LENGTH(sizeof error))
		memcpy(&error, NLMSG_DATA(header), sizeof error);
	errno = -error;
	return error == 0 ? 1 : -1;
}

static int take_message(struct rtnetlink_taker *taker, const struct nlmsghdr *header)
{
	const struct nlmsgerr *error = NLMSG_DATA(header);

	if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
		taker->inconsistent = true;
	if (header->nlmsg_type == NLMSG_DONE)
		return dump_result(header);
	if (header->nlmsg_type == NLMSG_ERROR && header->nlmsg_len >= NLMSG_LENGTH(sizeof *error)) {
		errno = -error->error;
		return -1;
	}
	return taker->take(taker->arg, header);
}

int rtnetlink_take(int fd, struct rtnetlink_taker *taker)
{
	const struct nlmsghdr *header;
	const void *datagram;
	ssize_t length = rtnetlink_receive(fd, &datagram);
	size_t left = (size_t)length;
	int result = 0;

	if (length == -1)
		return -1;
	for (header = rtnetlink_first(datagram, &left); header != NULL && result == 0; header = rtnetlink_next(header, &left))
		result = take_message(taker, header);
	return result;
}

int rtnetlink_read_all(uint16_t type, uint8_t family, struct rtnetlink_taker *taker)
{
	int fd = rtnetlink_open(0, 0), result, saved;

	if (fd == -1)
		return -1;
	result = rtnetlink_dump(fd, type, family, 1);
	while (result == 0)
		result = rtnetlink_take(fd, taker);
	saved = errno;
	close(fd);
	errno = saved;
	return result == 1 ? 0 : -1;
}

const struct rtattr *rtnetlink_attribute(const void *attributes, const size_t *left)
{
	const struct rtattr *attribute = attributes;

	if (*left < sizeof(*attribute) || attribute->rta_len < sizeof(*attribute) || attribute->rta_len > *left)
		return NULL;
	return attribute;
}

const struct rtattr *rtnetlink_attribute_next(const struct rtattr *attribute, size_t *left)
{
	size_t step = RTA_ALIGN((size_t)attribute->rta_len);

	if (step >= *left)
		return NULL;
	*left -= step;
	return rtnetlink_attribute((const char *)attribute + step, left);
}

static void read_text(const struct rtattr *attribute, char text[IFNAMSIZ])
{
	size_t length = strnlen(RTA_DATA(attribute), RTA_PAYLOAD(attribute));

	if (length >= IFNAMSIZ)
		return;
	memcpy(text, RTA_DATA(attribute), length);
	text[length] = '\0';
}

/* IFA_LOCAL is ours; on a point-to-point link IFA_ADDRESS is the other end's. IPv6 has IFA_ADDRESS alone, as a rule. */
int rtnetlink_read_address(const struct nlmsghdr *header, struct rtnetlink_address *out)
{
	const struct ifaddrmsg *info = NLMSG_DATA(header);
	const struct rtattr *attribute;
	const void *local = NULL, *any = NULL;
	size_t left, size;

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) || (info->ifa_family != AF_INET && info->ifa_family != AF_INET6))
		return -1;
	*out = (struct rtnetlink_address){.link = info->ifa_index, .flags = info->ifa_flags, .prefix_length = info->ifa_prefixlen};
	left = NLMSG_PAYLOAD(header, sizeof(*info));
	size = info->ifa_family == AF_INET ? 4 : 16;
	for (attribute = rtnetlink_attribute(IFA_RTA(info), &left); attribute != NULL; attribute = rtnetlink_attribute_next(attribute, &left)) {
		if (attribute->rta_type == IFA_LOCAL && RTA_PAYLOAD(attribute) == size)
			local = RTA_DATA(attribute);
		else if (attribute->rta_type == IFA_ADDRESS && RTA_PAYLOAD(attribute) == size)
			any = RTA_DATA(attribute);
		else if (attribute->rta_type == IFA_FLAGS && RTA_PAYLOAD(attribute) == sizeof(out->flags))
			memcpy(&out->flags, RTA_DATA(attribute), sizeof(out->flags));
		else if (attribute->rta_type == IFA_LABEL)
			read_text(attribute, out->label);
	}
	if (local == NULL && any == NULL)
		return -1;
	out->address.family = out->peer.family = size == 4 ? 4 : 6;
	memcpy(out->address.bytes, local != NULL ? local : any, size);
	memcpy(out->peer.bytes, any != NULL ? any : local, size);
	return 0;
}

/* IFLA_LINKINFO holds attributes of its own. */
static void read_kind(const struct rtattr *info, struct rtnetlink_link *out)
{
	size_t left = RTA_PAYLOAD(info);
	const struct rtattr *attribute;

	for (attribute = rtnetlink_attribute(RTA_DATA(info), &left); attribute != NULL; attribute = rtnetlink_attribute_next(attribute, &left)) {
		if (attribute->rta_type == IFLA_INFO_KIND)
			read_text(attribute, out->kind);
	}
}

int rtnetlink_read_link(const struct nlmsghdr *header, struct rtnetlink_link *out)
{
	const struct ifinfomsg *info = NLMSG_DATA(header);
	const struct rtattr *attribute;
	size_t left;

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*info)))
		return -1;
	*out = (struct rtnetlink_link){.index = (unsigned)info->ifi_index};
	left = NLMSG_PAYLOAD(header, sizeof(*info));
	for (attribute = rtnetlink_attribute(IFLA_RTA(info), &left); attribute != NULL; attribute = rtnetlink_attribute_next(attribute, &left)) {
		if (attribute->rta_type == IFLA_MASTER && RTA_PAYLOAD(attribute) == sizeof(out->master))
			memcpy(&out->master, RTA_DATA(attribute), sizeof(out->master));
		else if (attribute->rta_type == IFLA_IFNAME)
			read_text(attribute, out->name);
		else if (attribute->rta_type == IFLA_LINKINFO)
			read_kind(attribute, out);
	}
	return 0;
}
