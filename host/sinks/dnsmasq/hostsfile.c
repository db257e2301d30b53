#include <config.h>

#include "hostsfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "registry/served.h"
#include "registry/table.h"
#include "shared/atomicfile.h"
#include "shared/clock.h"
#include "shared/log.h"

/*
 * One instance's lines, rendered when it changed. More than half of each would be instance and session in hexadecimal, which the fact has, as it has its
 * place: IDENTS stands in the text where they belong. A name that may have more addresses than an answer has room for stands behind CROWDED
 * instead of a blank. There may be a hundred thousand of these: what stands in it counts.
 */
struct entry {
	struct table_link link;
	struct entry *prev, *next;
	const struct fact *fact;
	uint32_t length : 24;
	bool waits : 1; /* nothing of it is served: lines for the next start alone */
	bool more : 1; /* not all of it is served: behind the lines that are, those for the next start */
	bool later : 1; /* behind those that are not */
	bool crowded : 1; /* it has such a name */
	uint16_t origin; /* the fact's, when the text was rendered */
	char text[];
};

#define IDENTS  '\1' /* no address, name or encoded user has such a character */
#define CROWDED '\2'

struct hostsfile {
	struct hostsfile_domains domains;
	struct table table; /* the entries by instance */
	struct entry *entries; /* in the order of arrival */
	struct crowds *crowds;
	size_t ncrowded; /* entries */
	char *scratch; /* a listing is rendered here first: LINES_MAX bytes, far more than the longest */
};

#define FILE_MODE  0644
#define UNTIL_SIZE 32
#define LINES_MAX  ((size_t)ANNOUNCEMENT_ADDRESSES_MAX * HOSTSFILE_LINE_MAX)

#define LINES_LENGTH_END (1U << 24)

_Static_assert(LINES_MAX < LINES_LENGTH_END, "the length of an entry's text has 24 bits");

uint32_t hostsfile_serial_next(uint32_t serial)
{
	return serial < HOSTSFILE_SERIAL_MIN || serial >= HOSTSFILE_SERIAL_MAX ? HOSTSFILE_SERIAL_MIN : serial + 1;
}

bool hostsfile_serial_reached(uint32_t a, uint32_t b)
{
	const uint32_t circle = HOSTSFILE_SERIAL_MAX - HOSTSFILE_SERIAL_MIN;

	return ((a - b) & circle) <= circle / 2;
}

static const void *entry_key(const struct table_link *link, size_t *length)
{
	const struct entry *entry = TABLE_ENTRY(link, const struct entry, link);

	*length = sizeof(entry->fact->instance);
	return &entry->fact->instance;
}

struct hostsfile *hostsfile_new(const struct hostsfile_domains *domains)
{
	struct hostsfile *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return NULL;
	file->scratch = malloc(LINES_MAX);
	file->crowds = crowds_new();
	if (file->scratch == NULL || file->crowds == NULL) {
		hostsfile_free(file);
		return NULL;
	}
	file->domains = *domains;
	file->table = (struct table)TABLE_EMPTY(entry_key);
	return file;
}

void hostsfile_free(struct hostsfile *file)
{
	struct entry *entry, *next;

	if (file == NULL)
		return;
	DL_FOREACH_SAFE (file->entries, entry, next)
		free(entry);
	table_clear(&file->table, NULL);
	crowds_free(file->crowds);
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

/* A name, without the domain, below each of these domains, each behind mark. */
static char *put_name(char *at, char mark, const char *name, const struct hostsfile_domains *domains, uint32_t bits)
{
	char fqdn[HOSTNAME_FQDN_SIZE];

	for (unsigned i = 0; i < domains->count; i++) {
		if ((bits >> i & 1) == 0 || hostname_join(name, domains->names[i], fqdn) != HOSTNAME_OK)
			continue;
		*at++ = mark;
		at = put(at, fqdn);
	}
	return at;
}

/* What an address has in those domains that take it. */
static char *put_names(char *at, const struct listing *listing, const struct hostsfile_domains *domains, uint32_t taken)
{
	const struct fact *fact = listing->fact;

	for (unsigned i = 0; i <= fact->naliases; i++)
		at = put_name(at, (listing->crowded >> i & 1) != 0 ? CROWDED : ' ', i == 0 ? fact->name : fact->aliases[i - 1], domains,
		              served_domains(listing, i) & taken);
	return at;
}

static char *put_ports(char *at, const struct fact *fact)
{
	for (unsigned i = 0; i < fact->nports; i++) {
		at = put(put(at, i == 0 ? " ports=" : ","), fact->ports[i].name);
		at += snprintf(at, sizeof(":65535"), ":%u", (unsigned)fact->ports[i].port);
	}
	return at;
}

/* Who this is, for the next start of the daemon: " # instance=HEX session=HEX user=…", all of which but the user is IDENTS. */
static char *put_comment(char *at, const struct listing *listing, bool named)
{
	const struct fact *fact = listing->fact;

	*at++ = IDENTS;
	at = put_encoded(at, fact->user);
	if (!named)
		at = put(put(at, " name="), fact->name);
	if ((!fact->has_session || fact->doubted) && fact->expires_ms != CLOCK_NEVER)
		at += snprintf(at, UNTIL_SIZE, " until=%" PRId64, fact->expires_ms);
	at = put_ports(at, fact);
	*at++ = '\n';
	return at;
}

/* The domains that take address number i. */
static uint32_t taken_by(const struct listing *listing, const struct hostsfile_domains *domains, unsigned i)
{
	uint32_t bits = 0;

	for (unsigned domain = 0; domain < domains->count; domain++)
		bits |= (served_addresses(listing, domain) >> i & 1) << domain;
	return bits;
}

/* What stands behind an address: nothing if no name does. Returns the length. */
static size_t render_tail(char *out, const struct listing *listing, const struct hostsfile_domains *domains, uint32_t taken)
{
	char *at = put_names(out, listing, domains, taken);

	if (at == out)
		return 0;
	return (size_t)(put_comment(at, listing, (served_domains(listing, 0) & taken) != 0) - out);
}

/* Mostly the same stands behind each address. Returns the length; nothing listed: 0. */
static size_t render(char *out, const struct listing *listing, const struct hostsfile_domains *domains)
{
	char address[ADDRESS_TEXT_SIZE], *at = out, *tail = NULL;
	uint32_t taken, tail_taken = 0;
	size_t length = 0;

	for (unsigned i = 0; i < listing->fact->naddresses; i++) {
		char *line = at;

		taken = taken_by(listing, domains, i);
		if (taken == 0)
			continue;
		at = put(at, address_format(&listing->fact->addresses[i], address));
		if (tail != NULL && taken == tail_taken)
			memcpy(at, tail, length);
		else
			length = render_tail(at, listing, domains, taken);
		tail = at;
		tail_taken = taken;
		at = length > 0 ? at + length : line;
		if (length == 0)
			tail = NULL;
	}
	return (size_t)(at - out);
}

/* A name in the first domain that has room for it. */
static char *put_name_once(char *at, const char *name, const struct hostsfile_domains *domains)
{
	char *end = at;

	for (unsigned i = 0; end == at && i < domains->count; i++)
		end = put_name(at, ' ', name, domains, UINT32_C(1) << i);
	return end;
}

static bool served_whole(const struct listing *listing)
{
	const struct fact *fact = listing->fact;
	uint32_t addresses = 0;
	unsigned i;

	for (i = 0; i <= fact->naliases; i++)
		if (served_domains(listing, i) == 0)
			return false;
	/* In a domain that takes an address, but none of the names, it has no line. */
	for (i = 0; i < POLICY_DOMAINS_MAX; i++)
		if ((served_anywhere(listing) >> i & 1) != 0)
			addresses |= served_addresses(listing, i);
	return addresses == (UINT32_C(1) << fact->naddresses) - 1;
}

/*
 * Not all of it is served: somebody else has a name or an address of it, or a policy is against it. An emitter with a session says it again when the
 * daemon comes back; nobody does for one without. All of its addresses, each with all of its names.
 */
static size_t render_unserved(char *out, const char *mark, const struct listing *listing, const struct hostsfile_domains *domains)
{
	const struct fact *fact = listing->fact;
	char address[ADDRESS_TEXT_SIZE], *at = out;

	if (fact->has_session || served_whole(listing))
		return 0;
	for (unsigned i = 0; i < fact->naddresses; i++) {
		char *names = put(put(at, mark), address_format(&fact->addresses[i], address));

		at = put_name_once(names, fact->name, domains);
		if (at == names)
			return 0;
		for (unsigned alias = 0; alias < fact->naliases; alias++)
			at = put_name_once(at, fact->aliases[alias], domains);
		at = put_comment(at, listing, true);
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
	struct table_link *link = table_find(&file->table, instance, sizeof(*instance));

	return link != NULL ? TABLE_ENTRY(link, struct entry, link) : NULL;
}

/* With room for a text of this length, in the place of another one (NULL: at the end). */
static struct entry *entry_new(struct hostsfile *file, const struct fact *fact, size_t length, struct entry *before)
{
	struct entry *entry = must(malloc(offsetof(struct entry, text) + length));

	entry->fact = fact;
	entry->length = length & (LINES_LENGTH_END - 1);
	if (before != NULL) {
		DL_REPLACE_ELEM(file->entries, before, entry);
		table_remove(&file->table, &before->link);
		free(before);
	} else {
		DL_APPEND(file->entries, entry);
	}
	table_add(&file->table, &entry->link);
	return entry;
}

static bool entry_says(const struct entry *entry, const struct fact *fact, bool later, const char *text, size_t length)
{
	return entry->length == length && memcmp(entry->text, text, length) == 0 && entry->origin == fact->origin && entry->later == later;
}

bool hostsfile_listing(struct hostsfile *file, const struct listing *listing)
{
	const struct fact *fact = listing->fact;
	struct entry *entry = entry_find(file, &fact->instance);
	size_t served = render(file->scratch, listing, &file->domains);
	bool later = (listing->addresses & listing->later) != 0, waits = served == 0;
	size_t unserved = render_unserved(file->scratch + served, waits ? HOSTSFILE_WAITS : HOSTSFILE_SAID, listing, &file->domains);
	size_t length = served + unserved;

	if (length == 0)
		return hostsfile_gone(file, &fact->instance);
	if (entry != NULL && entry_says(entry, fact, later, file->scratch, length))
		return false;
	if (entry != NULL)
		file->ncrowded -= entry->crowded;
	if (entry == NULL || entry->length != length)
		entry = entry_new(file, fact, length, entry);
	entry->fact = fact;
	entry->origin = fact->origin;
	entry->later = later;
	entry->waits = waits;
	entry->more = !waits && unserved > 0;
	entry->crowded = !waits && listing->crowded != 0;
	file->ncrowded += entry->crowded;
	memcpy(entry->text, file->scratch, length);
	return true;
}

bool hostsfile_gone(struct hostsfile *file, const struct ident *instance)
{
	struct entry *entry = entry_find(file, instance);

	if (entry == NULL)
		return false;
	file->ncrowded -= entry->crowded;
	table_remove(&file->table, &entry->link);
	DL_DELETE(file->entries, entry);
	free(entry);
	return true;
}

size_t hostsfile_instances(const struct hostsfile *file)
{
	return file->table.count;
}

struct crowds *hostsfile_crowds(const struct hostsfile *file)
{
	return file->crowds;
}

bool hostsfile_crowded(const struct hostsfile *file)
{
	return file->ncrowded > 0;
}

void hostsfile_set_domains(struct hostsfile *file, const struct hostsfile_domains *domains)
{
	file->domains = *domains;
}

bool hostsfile_same_domains(const struct hostsfile_domains *a, const struct hostsfile_domains *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	return true;
}

/* Where the text goes: into a new file, or beside one that is there. */
struct out {
	struct atomicfile *file; /* NULL: compared with what fd has */
	int fd;
	bool differs;
	size_t used, at; /* of what was read */
	char read[64 * 1024];
};

/* Whether something is left of what was read. */
static bool compare_more(struct out *out)
{
	ssize_t got;

	if (out->at < out->used)
		return true;
	do
		got = read(out->fd, out->read, sizeof(out->read));
	while (got == -1 && errno == EINTR);
	out->at = 0;
	out->used = got > 0 ? (size_t)got : 0;
	return got > 0;
}

static void compare(struct out *out, const char *data, size_t length)
{
	size_t step;

	for (; length > 0 && !out->differs; data += step, length -= step) {
		out->differs = !compare_more(out);
		step = length < out->used - out->at ? length : out->used - out->at;
		out->differs = out->differs || memcmp(out->read + out->at, data, step) != 0;
		out->at += step;
	}
}

static void write_bytes(struct out *out, const void *data, size_t length)
{
	if (out->file != NULL)
		atomicfile_write(out->file, data, length);
	else
		compare(out, data, length);
}

static void write_text(struct out *out, const char *text)
{
	write_bytes(out, text, strlen(text));
}

static void write_domains(struct out *out, const struct hostsfile_domains *domains)
{
	write_text(out, HOSTSFILE_DOMAINS);
	for (unsigned i = 0; i < domains->count; i++) {
		write_text(out, " ");
		write_text(out, domains->names[i]);
	}
	write_text(out, "\n");
}

static void write_own(struct out *out, const struct hostsfile_domains *domains, const struct hostsfile_own *own)
{
	char text[ADDRESS_TEXT_SIZE], names[POLICY_DOMAINS_MAX * (HOSTNAME_FQDN_SIZE + 1)];

	*put_name(names, ' ', own->name, domains, own->domains) = '\0';
	if (names[0] == '\0')
		return;
	write_text(out, address_format(&own->address, text));
	write_text(out, names);
	write_text(out, HOSTSFILE_OWN "\n");
}

/* The lines that no instance has. */
static void write_head(struct out *out, const struct hostsfile *file, uint32_t serial, const char *boot_id,
		       const struct hostsfile_own *own, size_t nown)
{
	char line[HOSTNAME_FQDN_SIZE + 128];

	snprintf(line, sizeof(line), HOSTSFILE_MAGIC "%s\n", boot_id);
	write_text(out, line);
	write_text(out, HOSTSFILE_NOTICE "\n");
	write_domains(out, &file->domains);
	snprintf(line, sizeof(line), "%u.%u.%u.%u " SERVED_SERIAL_NAME ".%s\n", serial >> 24, serial >> 16 & 255,
		 serial >> 8 & 255, serial & 255, file->domains.names[0]);
	write_text(out, line);
	for (size_t i = 0; i < nown; i++)
		write_own(out, &file->domains, &own[i]);
}

/* A part of the entry's text, with its idents where they belong. */
static void write_part(struct out *out, const struct entry *entry, const char *at, size_t left)
{
	char idents[sizeof(" # instance= session= user=") + 2 * IDENT_TEXT_LENGTH], *end = put(idents, " # instance=");
	const struct fact *fact = entry->fact;
	const char *mark;

	ident_format(&fact->instance, end);
	end += IDENT_TEXT_LENGTH;
	if (fact->has_session) {
		end = put(end, " session=");
		ident_format(&fact->session, end);
		end += IDENT_TEXT_LENGTH;
	}
	end = put(end, " user=");
	while ((mark = memchr(at, IDENTS, left)) != NULL) {
		write_bytes(out, at, (size_t)(mark - at));
		write_bytes(out, idents, (size_t)(end - idents));
		left -= (size_t)(mark + 1 - at);
		at = mark + 1;
	}
	write_bytes(out, at, left);
}

static void write_place(struct out *out, const struct place *place)
{
	char line[sizeof(HOSTSFILE_PLACE) + PLACE_TEXT_SIZE], *end = put(line, HOSTSFILE_PLACE);

	place_format(place, end);
	end += PLACE_TEXT_LENGTH;
	*end++ = '\n';
	write_bytes(out, line, (size_t)(end - line));
}

/* ---- names in turn ---- */

/* One line of an entry: an address, names, and what stands behind them. */
struct line {
	const char *text, *names, *tail, *end; /* the names each behind a blank or CROWDED */
	unsigned family;
};

static const char *name_end(const char *at, const char *end)
{
	while (at < end && *at != ' ' && *at != CROWDED && *at != IDENTS)
		at++;
	return at;
}

/* The line that begins there; of one that is no address's there are no names. Returns where the next one begins. */
static const char *line_at(const char *text, const char *end, struct line *line)
{
	const char *newline = memchr(text, '\n', (size_t)(end - text));

	line->text = text;
	line->end = newline != NULL ? newline + 1 : end;
	line->names = name_end(text, line->end);
	line->family = memchr(text, ':', (size_t)(line->names - text)) != NULL ? 6 : 4;
	line->tail = memchr(text, IDENTS, (size_t)(line->end - text));
	if (line->tail == NULL)
		line->tail = line->names = line->end;
	return line->end;
}

static void line_count(const struct hostsfile *file, const struct line *line)
{
	const char *at, *next;

	for (at = line->names; at < line->tail; at = next) {
		next = name_end(at + 1, line->tail);
		if (*at == CROWDED)
			crowds_count(file->crowds, line->family, at + 1, (size_t)(next - at - 1));
	}
}

/* The names of a line whose turn it is, or all of them; each behind a blank. */
static char *put_line_names(char *out, const struct hostsfile *file, const struct line *line, bool all)
{
	const char *at, *next;

	for (at = line->names; at < line->tail; at = next) {
		next = name_end(at + 1, line->tail);
		if (!all && *at == CROWDED && !crowds_serve(file->crowds, line->family, at + 1, (size_t)(next - at - 1)))
			continue;
		*out++ = ' ';
		memcpy(out, at + 1, (size_t)(next - at - 1));
		out += next - at - 1;
	}
	return out;
}

static void write_line(struct out *out, const struct hostsfile *file, const struct entry *entry, const struct line *line)
{
	char *at = file->scratch, *end = put_line_names(at, file, line, false);
	size_t served = (size_t)(end - at), all = (size_t)(line->tail - line->names);

	if (served == 0 && all > 0)
		write_text(out, HOSTSFILE_WAITS);
	write_bytes(out, line->text, (size_t)(line->names - line->text));
	write_bytes(out, at, served);
	if (served < all) {
		at = end;
		end = put_line_names(at, file, line, true);
		if (served > 0)
			write_text(out, " # names");
		write_bytes(out, at, (size_t)(end - at));
	}
	write_part(out, entry, line->tail, (size_t)(line->end - line->tail));
}

/* Where the lines of what is served end. */
static const char *served_end(const struct entry *entry)
{
	static const char first[] = "\n" HOSTSFILE_SAID;
	const char *said = entry->more ? memmem(entry->text, entry->length, first, sizeof(first) - 1) : NULL;

	return said != NULL ? said + 1 : entry->text + entry->length;
}

static void write_crowded(struct out *out, const struct hostsfile *file, const struct entry *entry)
{
	const char *at = entry->text, *end = served_end(entry);
	struct line line;

	while (at < end) {
		at = line_at(at, end, &line);
		write_line(out, file, entry, &line);
	}
}

static void write_entry(struct out *out, const struct hostsfile *file, const struct entry *entry)
{
	if (entry->crowded)
		write_crowded(out, file, entry);
	else
		write_part(out, entry, entry->text, (size_t)(served_end(entry) - entry->text));
	if (!entry->waits && place_known(&entry->fact->place))
		write_place(out, &entry->fact->place);
}

static void write_unserved(struct out *out, const struct entry *entry)
{
	const char *at = served_end(entry);

	write_part(out, entry, at, entry->length - (size_t)(at - entry->text));
}

static void count_crowds(const struct hostsfile *file)
{
	const struct entry *entry;
	struct line line;

	crowds_begin(file->crowds);
	if (file->ncrowded > 0) {
		DL_FOREACH (file->entries, entry) {
			const char *at = entry->text, *end = served_end(entry);

			while (entry->crowded && at < end) {
				at = line_at(at, end, &line);
				line_count(file, &line);
			}
		}
	}
	crowds_counted(file->crowds, (const char (*)[HOSTNAME_FQDN_SIZE])file->domains.names, file->domains.count);
}

/* What waits stands behind all that is served, so that this comes first again when it is read back. */
#define TURN_WAITS 2

static unsigned turn_of(const struct entry *entry)
{
	return entry->waits ? TURN_WAITS : entry->later;
}

/* One walk where, as most of the time, it is the first turn of all. */
static void write_entries(struct out *out, const struct hostsfile *file)
{
	unsigned turn = 0, last = 0;
	const struct entry *entry;

	do {
		DL_FOREACH (file->entries, entry) {
			unsigned own = turn_of(entry);

			if (out->differs)
				return;
			/* Its fact is elsewhere: while this one is written the next one comes. */
			if (entry->next != NULL)
				__builtin_prefetch(entry->next->fact);
			if (own == turn)
				write_entry(out, file, entry);
			else if (turn == TURN_WAITS && entry->more)
				write_unserved(out, entry);
			if (entry->more)
				last = TURN_WAITS;
			else if (own > last)
				last = own;
		}
	} while (++turn <= last);
}

static void write_all(struct out *out, const struct hostsfile *file, uint32_t serial, const char *boot_id, const struct hostsfile_own *own, size_t nown)
{
	count_crowds(file);
	write_head(out, file, serial, boot_id, own, nown);
	write_entries(out, file);
}

int hostsfile_write(const struct hostsfile *file, const char *path, uint32_t serial, const char *boot_id,
		    const struct hostsfile_own *own, size_t nown)
{
	struct out out = {.file = atomicfile_open(path, FILE_MODE)};

	if (out.file == NULL)
		return -1;
	write_all(&out, file, serial, boot_id, own, nown);
	return atomicfile_commit(out.file);
}

bool hostsfile_is(const struct hostsfile *file, const char *path, uint32_t serial, const char *boot_id, const struct hostsfile_own *own, size_t nown)
{
	struct out out = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)};
	struct stat status;

	if (out.fd == -1)
		return false;
	out.differs = fstat(out.fd, &status) == -1 || !S_ISREG(status.st_mode) || (status.st_mode & 07777) != FILE_MODE;
	write_all(&out, file, serial, boot_id, own, nown);
	out.differs = out.differs || compare_more(&out);
	close(out.fd);
	return !out.differs;
}
