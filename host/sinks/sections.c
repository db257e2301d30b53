#include <config.h>

#include "sections.h"

#include <stddef.h>

#include "kinds.h"

#define DECLARE(name) extern const struct conf_section name##_section;
#define ADDRESS(name) &name##_section,

SINKS_KINDS(DECLARE)

const struct conf_section *const sinks_sections[] = {SINKS_KINDS(ADDRESS) NULL};
