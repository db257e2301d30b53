#include <config.h>

#include "jsonarena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static alignas(max_align_t) unsigned char arena[JSONARENA_SIZE];
static size_t used;
static jmp_buf exhausted;

/* Whether this thread is inside jsonarena_load(): all other users of jansson get the C library's memory. */
static _Thread_local bool active;

static void *arena_malloc(size_t size)
{
	void *memory;

	if (!active)
		return malloc(size);
	if (size > sizeof(arena) - used)
		longjmp(exhausted, 1); /* jansson holds nothing but memory of the arena: there is nothing to unwind */
	memory = arena + used;
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	used = size > sizeof(arena) - used ? sizeof(arena) : used + size;
	return memory;
}

static void arena_free(void *memory)
{
	uintptr_t address = (uintptr_t)memory;

	if (address < (uintptr_t)arena || address >= (uintptr_t)arena + sizeof(arena))
		free(memory);
}

const json_t *jsonarena_load(const void *body, size_t length, size_t flags, json_error_t *error)
{
	static bool installed;
	const json_t *root;

	if (!installed) {
		json_object_seed(0); /* not left to the first object: it is the process's, not the arena's */
		json_set_alloc_funcs(arena_malloc, arena_free);
		installed = true;
	}
	used = 0;
	if (setjmp(exhausted) != 0) {
		active = false;
		snprintf(error->text, sizeof(error->text), "more JSON values than fit into memory");
		error->position = (int)length;
		return NULL;
	}
	active = true;
	root = json_loadb(body, length, flags, error);
	active = false;
	return root;
}

size_t jsonarena_used(void)
{
	return used;
}
