#ifndef CALLSIGN_HOSTSFILE_H
#define CALLSIGN_HOSTSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/announcement.h"
#include "view.h"

/*
 * The hosts file that dnsmasq serves, and the daemon's only memory across a restart:
 *
 *   # callsign-hosts 1 boot=UUID
 *   # Written by callsignd, which replaces it whole at each change: do not edit.
 *   127.128.0.7 serial.callsign.DOMAIN
 *   172.17.0.1 host.DOMAIN # host
 *   172.17.0.2 my-cool-host.DOMAIN www.DOMAIN # instance=HEX session=HEX user=PERCENT-ENCODED
 *
 * Whole names only: a bare one could be any name of the world ("com.example" is a name that somebody may announce). One
 * line for each address. Behind user= stands name=NAME if the instance's own name is not listed (only aliases are), and
 * for an instance without session until=MS, the end of its lease on the monotonic clock, which holds only as long as
 * the machine does not boot.
 */
struct hostsfile;

#define HOSTSFILE_SIZE_MAX  ((size_t)64 << 20)
#define HOSTSFILE_LINE_MAX  16384
#define HOSTSFILE_USER_MAX  255 /* an AMQP short string */
#define HOSTSFILE_BOOT_SIZE 37  /* /proc/sys/kernel/random/boot_id, terminated */

/* Serials run from 127.128.0.0 to 127.255.255.255 and round again. As host-order IPv4 addresses. */
#define HOSTSFILE_SERIAL_MIN  0x7f800000U
#define HOSTSFILE_SERIAL_MAX  0x7fffffffU
#define HOSTSFILE_SERIAL_NONE 0U
#define HOSTSFILE_MAGIC       "# callsign-hosts 1 boot="
#define HOSTSFILE_NOTICE      "# Written by callsignd, which replaces it whole at each change: do not edit."
#define HOSTSFILE_OWN         " # host"
#define HOSTSFILE_SERIAL_NAME "serial.callsign" /* below the domain */

uint32_t hostsfile_serial_next(uint32_t serial);
/* Whether a is b or came after it (less than half of the circle ahead). Neither is NONE. */
bool hostsfile_serial_reached(uint32_t a, uint32_t b);

/* A name for this host itself. */
struct hostsfile_own {
	const char *name; /* without the domain */
	struct address address;
};

/* NULL with errno. domain is copied. */
struct hostsfile *hostsfile_new(const char *domain);
void hostsfile_free(struct hostsfile *file);

/* The lines of this listing, in the order in which instances were first listed. Returns whether the text is another one
 * than before. */
bool hostsfile_listing(struct hostsfile *file, const struct listing *listing);
bool hostsfile_gone(struct hostsfile *file, const struct ident *instance);
size_t hostsfile_instances(const struct hostsfile *file);

/* Everything rendered anew below another domain, from the facts that hostsfile_listing was last given: they must not
 * have changed since. */
void hostsfile_set_domain(struct hostsfile *file, const char *domain);

/* Render all of it into path, atomically, mode 0644. boot_id: of this boot. 0, or -1 with errno. */
int hostsfile_write(const struct hostsfile *file, const char *path, uint32_t serial, const char *boot_id,
		    const struct hostsfile_own *own, size_t nown);

/* What a file held. */
struct hostsfile_content {
	uint32_t serial; /* HOSTSFILE_SERIAL_NONE if it had none */
	size_t instances;
	size_t skipped; /* lines that are not of our form, or not below the domain; all of them if the first line is not
			   ours */
};

/*
 * Told of each instance read: message as registry_restore() wants it, its user ("" for none), and when the lease of one
 * without session ends (CLOCK_NEVER: not known, or it has a session).
 */
typedef void hostsfile_visit(void *arg, const struct announcement *message, const char *user, int64_t until_ms);

/*
 * Parse length bytes of any origin. Pure. What is not exactly of the form above is skipped and counted: a cut last
 * line, unusable addresses, names that are not below domain, an instance that appears twice, lines of one instance that
 * disagree.
 */
void hostsfile_parse(const char *text, size_t length, const char *domain, const char *boot_id, hostsfile_visit *visit,
		     void *arg, struct hostsfile_content *out);

/*
 * Read and parse path. Refused with errno: a symbolic link (ELOOP), anything but a regular file (EINVAL), one that
 * others own or may write (EPERM), more than HOSTSFILE_SIZE_MAX bytes (EFBIG), no such file (ENOENT). 0, or -1. *out is
 * zeroed first.
 */
int hostsfile_read(const char *path, const char *domain, const char *boot_id, hostsfile_visit *visit, void *arg,
		   struct hostsfile_content *out);

#endif
