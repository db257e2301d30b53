#include <config.h>

#include "sinkset.h"

#include <errno.h>
#include <string.h>

#include "kinds.h"
#include "shared/log.h"

#define DECLARE(name) extern const struct sink_kind name##_kind;
#define ADDRESS(name) &name##_kind,

SINKS_KINDS(DECLARE)

static const struct sink_kind *const all_kinds[] = {SINKS_KINDS(ADDRESS) NULL};

struct section {
	const struct sink_kind *kind;
	size_t i; /* of this kind's sections */
	bool required;
	char name[SINK_NAME_SIZE];
};

/* Whether there is an i-th section of that kind; its name and whether it is required into it. */
static bool section_wanted(struct section *section, const struct conf *conf)
{
	return section->kind->wanted != NULL && section->kind->wanted(conf, section->i, section->name, &section->required);
}

/* The section that a sink's name stands for. */
static bool find_section(const struct sink_kind *const *kinds, const struct conf *conf, const char *name, struct section *out)
{
	for (; *kinds != NULL; kinds++)
		for (out->kind = *kinds, out->i = 0; section_wanted(out, conf); out->i++)
			if (strcmp(out->name, name) == 0)
				return true;
	return false;
}

static bool tell(void *arg, const struct listing *listing)
{
	const struct sink *sink = arg;

	sink->operations->listing(sink->self, listing, true);
	return true;
}

static void tell_all(struct sinks *sinks, const struct sink *sink, struct view *view)
{
	struct sink copy = *sink;

	sinks->changed = true;
	view_each(view, tell, &copy);
}

/* Those that are there already: kept and told, or taken away. */
static void review(const struct sink_kind *const *kinds, struct sinks *sinks, struct view *view, const struct conf *conf, int64_t now_ms)
{
	struct section section;
	unsigned i = 0;

	while (i < sinks->count) {
		struct sink *sink = &sinks->list[i];

		if (sink->operations->configure == NULL) {
			i++;
		} else if (!find_section(kinds, conf, sink->name, &section)) {
			log_info("sink=\"%s\" is not configured any more and ends", sink->name);
			sinks_remove(sinks, i);
		} else {
			sink->required = section.required;
			if (sink->operations->configure(sink->self, conf, now_ms))
				tell_all(sinks, sink, view);
			i++;
		}
	}
}

static bool exists(const struct sinks *sinks, const char *name)
{
	for (unsigned i = 0; i < sinks->count; i++)
		if (strcmp(sinks->list[i].name, name) == 0)
			return true;
	return false;
}

static int make(const struct section *section, struct sinks *sinks, struct view *view, const struct conf *conf, int64_t now_ms)
{
	struct sink sink = {0};

	if (sinks->count == SINKS_MAX) {
		log_errorx("sink=\"%s\" is left out: there are %d already, more are not possible", section->name, SINKS_MAX);
		return -1;
	}
	if (section->kind->make(conf, section->i, now_ms, &sink) == -1) {
		log_error("sink=\"%s\" cannot be started and is left out; reload to try again", section->name);
		return -1;
	}
	sink.required = section->required;
	sinks_add(sinks, sink);
	tell_all(sinks, &sinks->list[sinks->count - 1], view);
	return 0;
}

void sinkset_configure_kinds(const struct sink_kind *const *kinds, struct sinks *sinks, struct view *view, const struct conf *conf, int64_t now_ms)
{
	struct section section;

	sinks->missing = 0;
	review(kinds, sinks, view, conf, now_ms);
	for (; *kinds != NULL; kinds++)
		for (section.kind = *kinds, section.i = 0; section_wanted(&section, conf); section.i++)
			if (!exists(sinks, section.name) && make(&section, sinks, view, conf, now_ms) == -1)
				sinks->missing++;
}

void sinkset_configure(struct sinks *sinks, struct view *view, const struct conf *conf, int64_t now_ms)
{
	sinkset_configure_kinds(all_kinds, sinks, view, conf, now_ms);
}
