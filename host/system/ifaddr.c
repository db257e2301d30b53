#include <config.h>

#include "ifaddr.h"

#include <linux/if_addr.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int ifaddr_ipv4(const char *interface, struct address *out)
{
	/* Not getifaddrs(3): it lists every interface, and a host with 10,000 containers has as many. */
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = -1;
	struct ifreq request;

	if (fd < 0)
		return -1;
	memset(&request, 0, sizeof(request));
	if (strlen(interface) < sizeof(request.ifr_name)) {
		memcpy(request.ifr_name, interface, strlen(interface));
		if (ioctl(fd, SIOCGIFADDR, &request) == 0)
			result = address_from_sockaddr(&request.ifr_addr, out);
	}
	close(fd);
	return result;
}

static int from_hex(const char *hex, struct address *out)
{
	memset(out, 0, sizeof(*out));
	out->family = 6;
	for (int i = 0; i < 16; i++) {
		unsigned byte;

		/* NOLINTNEXTLINE(cert-err34-c): two digits of the kernel's cannot overflow */
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -1;
		out->bytes[i] = (uint8_t)byte;
	}
	return address_unusable(out) == NULL ? 0 : -1;
}

/* Those without any of these flags. */
static unsigned list_ipv6(const char *interface, unsigned without, struct address *out, unsigned max)
{
	char line[128], hex[33], name[32];
	unsigned count = 0, flags;
	FILE *file = fopen("/proc/self/net/if_inet6", "re");

	if (file == NULL)
		return 0;
	while (count < max && fgets(line, sizeof(line), file) != NULL)
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own words */
		if (sscanf(line, "%32s %*x %*x %*x %x %31s", hex, &flags, name) == 3 && strcmp(name, interface) == 0 &&
		    (flags & without) == 0 &&
		    strlen(hex) == 32 && from_hex(hex, &out[count]) == 0)
			count++;
	fclose(file);
	return count;
}

unsigned ifaddr_ipv6(const char *interface, struct address *out, unsigned max)
{
	return list_ipv6(interface, IFA_F_TEMPORARY | IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED, out, max);
}

unsigned ifaddr_ipv6_assigned(const char *interface, struct address *out, unsigned max)
{
	return list_ipv6(interface, IFA_F_TEMPORARY | IFA_F_DADFAILED | IFA_F_DEPRECATED, out, max);
}
