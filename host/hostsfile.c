#include <config.h>

#include "hostsfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "shared/atomicfile.h"
#include "shared/clock.h"
#include "shared/log.h"

/* One instance's lines, rendered when it changed; uthash keeps the entries in order of arrival. */
struct entry {
	struct ident instance;
	struct listing listing; /* for hostsfile_set_domain */
	char *text;
	size_t length;
	UT_hash_handle hh;
};

struct hostsfile {
	char domain[HOSTNAME_FQDN_SIZE];
	struct entry *entries;
	char *scratch; /* a listing is rendered here first: LINES_MAX bytes, far more than the longest */
};

#define UNTIL_SIZE 32
#define LINES_MAX  ((size_t)ANNOUNCEMENT_ADDRESSES_MAX * HOSTSFILE_LINE_MAX)

uint32_t hostsfile_serial_next(uint32_t serial)
{
	return serial < HOSTSFILE_SERIAL_MIN || serial >= HOSTSFILE_SERIAL_MAX ? HOSTSFILE_SERIAL_MIN : serial + 1;
}

bool hostsfile_serial_reached(uint32_t a, uint32_t b)
{
	const uint32_t circle = HOSTSFILE_SERIAL_MAX - HOSTSFILE_SERIAL_MIN;

	return ((a - b) & circle) <= circle / 2;
}

struct hostsfile *hostsfile_new(const char *domain)
{
	struct hostsfile *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return NULL;
	file->scratch = malloc(LINES_MAX);
	if (file->scratch == NULL) {
		free(file);
		return NULL;
	}
	snprintf(file->domain, sizeof(file->domain), "%s", domain);
	return file;
}

static void entry_free(struct hostsfile *file, struct entry *entry)
{
	HASH_DEL(file->entries, entry);
	free(entry->text);
	free(entry);
}

void hostsfile_free(struct hostsfile *file)
{
	struct entry *entry, *next;

	if (file == NULL)
		return;
	HASH_ITER (hh, file->entries, entry, next)
		entry_free(file, entry);
	free(file->scratch);
	free(file);
}

static char *put(char *at, const char *text)
{
	size_t length = strlen(text);

	memcpy(at, text, length);
	return at + length;
}

/* Percent-encoded (RFC 3986, section 2.1): whatever a user name holds, it cannot end the line or look like another key.
 */
static char *put_encoded(char *at, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (strchr(plain, c) != NULL) {
			*at++ = (char)c;
		} else {
			*at++ = '%';
			*at++ = digits[c >> 4];
			*at++ = digits[c & 15];
		}
	}
	return at;
}

static char *put_name(char *at, const char *name, const char *domain)
{
	*at++ = ' ';
	at = put(at, name);
	*at++ = '.';
	return put(at, domain);
}

static char *put_names(char *at, const struct listing *listing, const char *domain)
{
	const struct fact *fact = listing->fact;

	if ((listing->names & 1) != 0)
		at = put_name(at, fact->name, domain);
	for (unsigned i = 0; i < fact->naliases; i++)
		if ((listing->names >> (1 + i) & 1) != 0)
			at = put_name(at, fact->aliases[i], domain);
	return at;
}

/* Who this is, for the next start of the daemon. */
static char *put_comment(char *at, const struct listing *listing)
{
	const struct fact *fact = listing->fact;
	char hex[IDENT_TEXT_SIZE];

	at = put(put(at, " # instance="), ident_format(&fact->instance, hex));
	if (fact->has_session)
		at = put(put(at, " session="), ident_format(&fact->session, hex));
	at = put_encoded(put(at, " user="), fact->user);
	if ((listing->names & 1) == 0)
		at = put(put(at, " name="), fact->name);
	if (!fact->has_session && fact->expires_ms != CLOCK_NEVER)
		at += snprintf(at, UNTIL_SIZE, " until=%" PRId64, fact->expires_ms);
	*at++ = '\n';
	return at;
}

/* What stands behind the address is the same on each line. Returns the length; nothing listed: 0. */
static size_t render(char *out, const struct listing *listing, const char *domain)
{
	char address[ADDRESS_TEXT_SIZE], *at = out, *tail = NULL;
	size_t tail_length = 0;

	if (listing->names == 0)
		return 0;
	for (unsigned i = 0; i < listing->fact->naddresses; i++) {
		if ((listing->addresses >> i & 1) == 0)
			continue;
		at = put(at, address_format(&listing->fact->addresses[i], address));
		if (tail != NULL) {
			memcpy(at, tail, tail_length);
			at += tail_length;
			continue;
		}
		tail = at;
		at = put_comment(put_names(at, listing, domain), listing);
		tail_length = (size_t)(at - tail);
	}
	return (size_t)(at - out);
}

/* Lines that are not there because memory ran out would be a lie that nobody notices: better to be started again. */
static void *must(void *memory)
{
	if (memory == NULL) {
		log_error("hosts file");
		abort();
	}
	return memory;
}

static struct entry *entry_find(const struct hostsfile *file, const struct ident *instance)
{
	struct entry *entry;

	HASH_FIND(hh, file->entries, instance, sizeof(*instance), entry);
	return entry;
}

static struct entry *entry_new(struct hostsfile *file, const struct ident *instance)
{
	struct entry *entry = must(calloc(1, sizeof(*entry)));

	entry->instance = *instance;
	HASH_ADD(hh, file->entries, instance, sizeof(entry->instance), entry);
	return entry;
}

bool hostsfile_listing(struct hostsfile *file, const struct listing *listing)
{
	struct entry *entry = entry_find(file, &listing->fact->instance);
	size_t length = render(file->scratch, listing, file->domain);

	if (length == 0)
		return hostsfile_gone(file, &listing->fact->instance);
	if (entry == NULL)
		entry = entry_new(file, &listing->fact->instance);
	entry->listing = *listing;
	if (entry->length == length && memcmp(entry->text, file->scratch, length) == 0)
		return false;
	entry->text = must(realloc(entry->text, length));
	memcpy(entry->text, file->scratch, length);
	entry->length = length;
	return true;
}

bool hostsfile_gone(struct hostsfile *file, const struct ident *instance)
{
	struct entry *entry = entry_find(file, instance);

	if (entry == NULL)
		return false;
	entry_free(file, entry);
	return true;
}

size_t hostsfile_instances(const struct hostsfile *file)
{
	return HASH_COUNT(file->entries);
}

void hostsfile_set_domain(struct hostsfile *file, const char *domain)
{
	struct entry *entry, *next;

	snprintf(file->domain, sizeof(file->domain), "%s", domain);
	HASH_ITER (hh, file->entries, entry, next)
		hostsfile_listing(file, &entry->listing);
}

static void write_text(struct atomicfile *out, const char *text)
{
	atomicfile_write(out, text, strlen(text));
}

/* The lines that no instance has. */
static void write_head(struct atomicfile *out, const struct hostsfile *file, uint32_t serial, const char *boot_id,
		       const struct hostsfile_own *own, size_t nown)
{
	char line[HOSTNAME_FQDN_SIZE + 128], text[ADDRESS_TEXT_SIZE];

	snprintf(line, sizeof(line), HOSTSFILE_MAGIC "%s\n", boot_id);
	write_text(out, line);
	write_text(out, HOSTSFILE_NOTICE "\n");
	snprintf(line, sizeof(line), "%u.%u.%u.%u " HOSTSFILE_SERIAL_NAME ".%s\n", serial >> 24, serial >> 16 & 255,
		 serial >> 8 & 255, serial & 255, file->domain);
	write_text(out, line);
	for (size_t i = 0; i < nown; i++) {
		snprintf(line, sizeof(line), "%s %s.%s" HOSTSFILE_OWN "\n", address_format(&own[i].address, text),
			 own[i].name, file->domain);
		write_text(out, line);
	}
}

int hostsfile_write(const struct hostsfile *file, const char *path, uint32_t serial, const char *boot_id,
		    const struct hostsfile_own *own, size_t nown)
{
	struct atomicfile *out = atomicfile_open(path, 0644);

	if (out == NULL)
		return -1;
	write_head(out, file, serial, boot_id, own, nown);
	for (const struct entry *entry = file->entries; entry != NULL; entry = entry->hh.next)
		atomicfile_write(out, entry->text, entry->length);
	return atomicfile_commit(out);
}
