#include <config.h>

#include "sections.h"

#include <stddef.h>

#include "conf/conf.h"
#include "kinds.h"

#define DECLARE(name) extern const struct conf_section name##_section;
#define ADDRESS(name) &name##_section,

SINKS_KINDS(DECLARE)

const struct conf_section *const sinks_sections[] = {SINKS_KINDS(ADDRESS) NULL};

_Static_assert(sizeof sinks_sections / sizeof *sinks_sections <= CONF_SECTIONS_MAX + 1, "conf_load() takes no more kinds of sections than CONF_SECTIONS_MAX");
