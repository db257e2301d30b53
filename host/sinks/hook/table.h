#ifndef CALLSIGN_HOOK_TABLE_H
#define CALLSIGN_HOOK_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "conf/conf.h"
#include "registry/view.h"

/*
 * What a hook is told: each instance as a piece of JSON, made when it changes, and what has changed since the command last succeeded. The form is a
 * contract (docs/hook.md): keys are added, never renamed or removed. Pure but for the wall clock, which is an argument.
 */
struct hook_table;

struct hook_table *hook_table_new(void); /* NULL with errno */
void hook_table_free(struct hook_table *table);

/* How listing is to be told from now on. wall_ms: Unix time at which listing's clock is now_ms. 0, or -1: no memory (then it stays as it was). */
int hook_table_set(struct hook_table *table, const struct listing *listing, const struct policy *policy, int64_t wall_ms, int64_t now_ms);
void hook_table_remove(struct hook_table *table, const struct ident *instance);

/* Whether it differs from what the command was told last; always before the first success. */
bool hook_table_changed(const struct hook_table *table);

/* Nothing was ever told: everything is added again. */
void hook_table_forget(struct hook_table *table);

/*
 * A run begins: the whole document (one line) to out. Then either hook_table_told(): the command has succeeded, what it was given is what it knows; or
 * hook_table_untold(): its changes are to be told again, together with those that have come since; what of them it has done if it ran, nobody knows.
 * Errors of out are the caller's to see.
 */
void hook_table_write(struct hook_table *table, const struct conf *conf, uint64_t generation, FILE *out);
void hook_table_told(struct hook_table *table);
void hook_table_untold(struct hook_table *table, bool ran);

#endif
