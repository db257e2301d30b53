#ifndef CALLSIGN_JSONARENA_H
#define CALLSIGN_JSONARENA_H

#include <jansson.h>
#include <stddef.h>

/*
 * jansson parsing without malloc, for bodies that come from the network.
 *
 * When an allocation fails inside its lexer, jansson 2.14 drops the byte it wanted to store and goes on: a name loses a letter
 * and still parses, or a string loses its closing quote and the scan runs past its buffer. Here nothing can fail: every body that the wire
 * contract allows (4,096 bytes) fits into the arena whatever it holds, and if one did not, the parse would end there. It is faster as well.
 */
#define JSONARENA_SIZE (512 * 1024) /* bytes; pages that no body ever needed cost nothing */

/*
 * Like json_loadb(). The tree is valid until the next call; never json_decref() or json_incref() anything in it. NULL with error.
 * One thread at a time. The rest of the program may go on using jansson, from any thread: only this call is served by the arena.
 */
const json_t *jsonarena_load(const void *body, size_t length, size_t flags, json_error_t *error);

/* Bytes that the last call took. */
size_t jsonarena_used(void);

#endif
