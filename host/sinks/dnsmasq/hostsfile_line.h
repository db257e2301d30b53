#ifndef CALLSIGN_HOSTSFILE_LINE_H
#define CALLSIGN_HOSTSFILE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "hostsfile.h"

/* The grammar of single lines of a hosts file (hostsfile.h), for reading it back. Pure. */
struct text {
	const char *at;
	const char *end;
};

/* What one line, or several that agree, say of an instance. */
struct hostsfile_record {
	struct announcement message;
	char user[POLICY_USER_MAX + 1];
	int64_t until_ms;
	struct view_held listed; /* domains as the file numbers them */
};

/* ADDRESS NAMES # instance=...: 0 and *record with one address, or -1. */
int hostsfile_line_instance(struct text line, const struct hostsfile_domains *domains, struct hostsfile_record *record);

/* 127.X.Y.Z serial.callsign.DOMAIN, of the first domain: the serial, or HOSTSFILE_SERIAL_NONE. */
uint32_t hostsfile_line_serial(struct text line, const struct hostsfile_domains *domains);

/* ADDRESS NAME.DOMAIN NAME.OTHER # host */
bool hostsfile_line_own(struct text line, const struct hostsfile_domains *domains);

/* # domains DOMAIN OTHER: 0 and *out, or -1. */
int hostsfile_line_domains(struct text line, struct hostsfile_domains *out);

/* Take literal if the text begins with it. */
bool hostsfile_take(struct text *text, const char *literal);

/* What another line of the same instance says besides: its address, its aliases, and where they are listed. 0, or -1: the address is there already, or there
 * are more of them than there may be; then nothing is added. */
int hostsfile_line_add(struct hostsfile_record *record, const struct hostsfile_record *other);

#endif
