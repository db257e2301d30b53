#ifndef CALLSIGN_PLACE_H
#define CALLSIGN_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where an address is: on which host, that is, under which running kernel, and in which of its network namespaces. Two that share a network have the
 * same place; two hosts with equal private ranges have not. Both are hashes, which tell nobody the kernel's boot id. Its sender says it, and nobody
 * vouches for it: what it may decide is in view.h.
 */
struct place {
	uint64_t host;
	uint64_t netns;
};

#define PLACE_TEXT_LENGTH 33 /* HOST/NETNS, 16 lower-case hex digits each */
#define PLACE_TEXT_SIZE (PLACE_TEXT_LENGTH + 1)
#define PLACE_BOOT_SIZE 37 /* /proc/sys/kernel/random/boot_id, terminated */

/* All zeros stand for none. */
bool place_known(const struct place *place);
bool place_equal(const struct place *a, const struct place *b);

/* Exactly of that form: 0 and *out, or -1. text need not be terminated. */
int place_parse(const char *text, size_t length, struct place *out);

/* Returns out, terminated. */
const char *place_format(const struct place *place, char out[PLACE_TEXT_SIZE]);

/*
 * HOST is the beginning of the SHA-256 of the boot id, as the kernel writes it (36 characters); NETNS that of the boot id, a blank, the inode of the
 * network namespace (namespaces(7)), a blank and its cookie (SO_NETNS_COOKIE), both in decimal. The inode of a namespace that has gone is given to the
 * next one at once; a cookie never is. cookie 0, before Linux 5.14: without blank and cookie.
 */
void place_make(const char *boot_id, uint64_t inode, uint64_t cookie, struct place *out);

/* "" if it cannot be read, or is not of that form. Returns out. */
const char *place_read_boot_id(char out[PLACE_BOOT_SIZE]);

/*
 * The place of a network namespace: netns is a path as /proc/self/ns/net, socket any socket that was made in it. 0, or -1 with *out none: the kernel,
 * or whoever stands in for it, does not tell.
 */
int place_of(const char *netns, int socket, struct place *out);

/* Of this process. */
int place_read(struct place *out);

#endif
