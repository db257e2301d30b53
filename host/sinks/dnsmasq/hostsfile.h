#ifndef CALLSIGN_HOSTSFILE_H
#define CALLSIGN_HOSTSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crowds.h"
#include "registry/view.h"
#include "shared/contract/announcement.h"

/*
 * The hosts file that dnsmasq serves, and the daemon's only memory across a restart:
 *
 *   # callsign-hosts 1 boot=UUID
 *   # Written by callsignd, which replaces it whole at each change: do not edit.
 *   # domains DOMAIN OTHER
 *   127.128.0.7 serial.callsign.DOMAIN
 *   172.17.0.1 host.DOMAIN # host
 *   172.17.0.2 my-cool-host.DOMAIN my-cool-host.OTHER www.DOMAIN # instance=HEX session=HEX user=PERCENT-ENCODED
 *
 * The domains below which the names are, the serial below the first of them: when the file is read back, those that are configured
 * may be others. Files of before have no such line. Whole names only: a bare one could be any name of the world ("com.example" is a name that somebody may announce). One
 * line for each address; since a domain may take some addresses only, the lines of an instance need not have the same names.
 * Behind user= stands name=NAME if the instance's own name is not in this line (only aliases are), and
 * for an instance without session, and one that is doubted (registry.h), until=MS, the end of its lease on the monotonic clock, which holds only as long as
 * the machine does not boot. At the end ports=NAME:NUMBER,NAME:NUMBER, sorted by name, if it has announced any.
 *
 * Behind the lines of an instance whose place is known stands a line `# place HOST/NETNS`: a line of its own, so that a daemon of before, which skips what it
 * does not know, still reads the instance. Instances that share an address with one that is to come first (struct listing, later) stand behind all others:
 * dnsmasq leads an address back to the first name that it finds.
 *
 * An instance without session of which nothing is served (it waits for somebody else's name) stands last, each line behind `# waits `: nobody would say
 * it again after a restart. One of which a part is served stands there once more, with all that it has said, each line behind `# said `: when the file is
 * read back, what everybody has is known before what somebody waits for.
 *
 * A name with more addresses than an answer has room for is served with so many at a time (crowds.h). In the line of an address whose turn it is not,
 * all of its names stand behind those that are served, if any are; else the whole line stands behind `# waits `, in its place:
 *
 *   172.17.0.3 other.DOMAIN # names www.DOMAIN other.DOMAIN # instance=HEX …
 */
struct hostsfile;

#define HOSTSFILE_SIZE_MAX  ((size_t)256 << 20)
#define HOSTSFILE_LINE_MAX  524288 /* twice all names of an instance in all domains, with room to spare */
#define HOSTSFILE_BOOT_SIZE 37  /* /proc/sys/kernel/random/boot_id, terminated */

/* Serials run from 127.128.0.0 to 127.255.255.255 and round again. As host-order IPv4 addresses. */
#define HOSTSFILE_SERIAL_MIN  0x7f800000U
#define HOSTSFILE_SERIAL_MAX  0x7fffffffU
#define HOSTSFILE_SERIAL_NONE 0U
#define HOSTSFILE_MAGIC       "# callsign-hosts 1 boot="
#define HOSTSFILE_NOTICE      "# Written by callsignd, which replaces it whole at each change: do not edit."
#define HOSTSFILE_DOMAINS     "# domains"
#define HOSTSFILE_OWN         " # host"
#define HOSTSFILE_PLACE       "# place "
#define HOSTSFILE_WAITS       "# waits "
#define HOSTSFILE_SAID        "# said "
#define HOSTSFILE_NAMES       "names " /* behind "# " */

uint32_t hostsfile_serial_next(uint32_t serial);
/* Whether a is b or came after it (less than half of the circle ahead). Neither is NONE. */
bool hostsfile_serial_reached(uint32_t a, uint32_t b);

/* At least one, the first of which has the serial. Folded; none is another one or below it. */
struct hostsfile_domains {
	unsigned count;
	char names[POLICY_DOMAINS_MAX][HOSTNAME_FQDN_SIZE];
};

/* A name for this host itself. */
struct hostsfile_own {
	const char *name; /* without the domain */
	uint32_t domains; /* where it is: a bit each */
	struct address address;
};

/* NULL with errno. domains are copied. */
struct hostsfile *hostsfile_new(const struct hostsfile_domains *domains);
void hostsfile_free(struct hostsfile *file);

/* The lines of this listing, in the order in which instances were first listed. Returns whether the text is another one
 * than before. The fact must stay, until hostsfile_gone() or hostsfile_free(): its instance, session and place are looked up when they are written. */
bool hostsfile_listing(struct hostsfile *file, const struct listing *listing);
bool hostsfile_gone(struct hostsfile *file, const struct ident *instance);
size_t hostsfile_instances(const struct hostsfile *file);

/* Which names have too many addresses, as of the last write, and which of those are served; the file's own. */
struct crowds *hostsfile_crowds(const struct hostsfile *file);
/* Whether any may have: only then another room or turn makes a difference. */
bool hostsfile_crowded(const struct hostsfile *file);

/* Other domains. Each listing that is there must be told again before the next write: until then its lines are as they were. */
void hostsfile_set_domains(struct hostsfile *file, const struct hostsfile_domains *domains);
bool hostsfile_same_domains(const struct hostsfile_domains *a, const struct hostsfile_domains *b);

/* Render all of it into path, atomically, mode 0644. boot_id: of this boot. 0, or -1 with errno. */
int hostsfile_write(const struct hostsfile *file, const char *path, uint32_t serial, const char *boot_id,
		    const struct hostsfile_own *own, size_t nown);

/* Whether path has these very bytes, in a file with that mode: then there is nothing to write. Reads no further than to the first difference. */
bool hostsfile_is(const struct hostsfile *file, const char *path, uint32_t serial, const char *boot_id,
		  const struct hostsfile_own *own, size_t nown);

/* What a file held. */
struct hostsfile_content {
	uint32_t serial; /* HOSTSFILE_SERIAL_NONE if it had none */
	size_t instances;
	size_t skipped; /* lines that are not of our form, or not below the domain; all of them if the first line is not
			   ours */
};

/*
 * Told of each instance read: message as registry_restore() wants it, its user ("" for none), and when its lease ends, if that
 * is written (CLOCK_NEVER: it is not, or was of another boot). listed: what of it was served, the domains as the reader has them. Of one without session
 * perhaps again, with all that it has said, of which nothing is.
 */
typedef void hostsfile_visit(void *arg, const struct announcement *message, const char *user, int64_t until_ms, const struct view_held *listed);

/*
 * Parse length bytes of any origin. Pure. What is not exactly of the form above is skipped and counted: a cut last
 * line, unusable addresses, names that are not below one of the domains (the file's, or if it does not say, these), an instance that
 * appears twice, lines of one instance that disagree.
 */
void hostsfile_parse(const char *text, size_t length, const struct hostsfile_domains *domains, const char *boot_id,
		     hostsfile_visit *visit, void *arg, struct hostsfile_content *out);

/*
 * Read and parse path. Refused with errno: a symbolic link (ELOOP), anything but a regular file (EINVAL), one that
 * others own or may write (EPERM), more than HOSTSFILE_SIZE_MAX bytes (EFBIG), no such file (ENOENT). 0, or -1. *out is
 * zeroed first.
 */
int hostsfile_read(const char *path, const struct hostsfile_domains *domains, const char *boot_id, hostsfile_visit *visit, void *arg,
		   struct hostsfile_content *out);

#endif
