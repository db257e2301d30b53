#ifndef CALLSIGN_HAPROXY_H
#define CALLSIGN_HAPROXY_H

/*
 * The room host/sinks/haproxy/: a map of HAProxy's, kept over its runtime socket. It uses host/sinks/common, and must not know other sinks.
 */

#include "sinks/common/sink.h"

/*
 * A sink that keeps a map of HAProxy's current (routes.h: who answers for which service), over the runtime socket: the
 * whole map as one transaction when it is not known what HAProxy has, else the changes. An entry of our own in the map,
 * @generation, tells which state HAProxy has: it is asked before each change and each second, so that a HAProxy that
 * was restarted, reloaded or meddled with is noticed by what it has.
 *
 * The same entries are written to the map's file, at most once a second, for a HAProxy that starts. Where the socket
 * does not work that file and a reload (reload.h) are the way.
 *
 * stored and served: what HAProxy has, or has been told to reload.
 */
extern const struct sink_kind haproxy_kind;

#define HAPROXY_SINK_NAME  "haproxy"
#define HAPROXY_MARKER_KEY "@generation"

#endif
