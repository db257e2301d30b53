#ifndef CALLSIGN_DOCTOR_TRIP_H
#define CALLSIGN_DOCTOR_TRIP_H

#include "doctor.h"
#include "line.h"

/* A throw-away name that the doctor announces and withdraws (check_trip.c). */

/* Its announcement, with an address that is nobody's. 0, or -1: no random numbers. */
int trip_compose(const struct doctor *doctor, struct announcement *up);

/* 0, or -1 with line->failure; line->result is the broker's confirm. */
int trip_publish(struct line *line, const struct announcement *message);

/* The first domain that takes the name of the user that we log in as. */
const char *trip_domain(const struct doctor *doctor, const char *name);

/* Until dnsmasq serves the name (or serves it no more); false: it did not, or the host has refused it. */
bool trip_await(const struct doctor *doctor, struct line *line, const char *name, bool served);

#endif
