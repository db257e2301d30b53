#ifndef CALLSIGN_CONF_HOOK_H
#define CALLSIGN_CONF_HOOK_H

#include <confuse.h>

#include "conf/conf.h"

/* hook "NAME" { … } of callsignd.conf. */
extern cfg_opt_t conf_hook_options[];

/* All of cfg's hook sections; mistakes are reported as conf/values.h says. 0, or -1: no memory. */
int conf_hook_copy(cfg_t *cfg, struct conf *conf);
void conf_hook_free(struct conf *conf);

#endif
