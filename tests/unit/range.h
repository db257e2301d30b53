#ifndef CALLSIGN_TESTS_RANGE_H
#define CALLSIGN_TESTS_RANGE_H

/*
 * After <cmocka.h>. Version 1 has one assertion, which compares unsigned: a negative number is in no range that begins at 0 or above. Version 2 has two
 * instead; that for unsigned numbers cannot be used where signs are watched, because it hands signed ones on (2.0.2).
 */
#ifndef assert_int_in_range
#define assert_int_in_range(value, minimum, maximum) assert_in_range((value), (minimum), (maximum))
#endif

#endif
