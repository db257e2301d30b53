#ifndef CALLSIGN_SINKS_KINDS_H
#define CALLSIGN_SINKS_KINDS_H

/*
 * The kinds of sink besides dnsmasq: the one table that a new one has to be added to. Each stands in a folder of its name beside this file, and has
 * there NAME_section (conf/section.h: what its keys mean) and NAME_kind (common/sink.h: how it is made).
 */
#define SINKS_KINDS(with) \
	with(haproxy) \
	with(zone) \
	with(hook)

#endif
