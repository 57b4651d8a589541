/*
 * What is reserved of budgets for calls under way, in a file that is mapped into memory: a process that is killed
 * cannot take it along. What such a call had reserved may have been spent, and no receipt says so; the next start finds
 * it here and counts it against the budget for the rest of its windows, as `unaccounted`. A power cut may take the last
 * half minute of it.
 *
 *   file:  a page of header (magic, version, slots), then slots of 128 bytes, each a scope's; never two in one line
 *
 * A slot has one writer, the shard that owns the scope's accounts; slots are given out by the control thread.
 */
#ifndef STORE_RESERVATIONS_H
#define STORE_RESERVATIONS_H

#include <stdatomic.h>
#include <stdint.h>
#include <stddef.h>

struct reservations;

enum { RESERVATION_WINDOWS = 3, RESERVATIONS_MAX = 16384 };

struct reservation {
	_Alignas(128) uint64_t name; /* a hash of whose it is; 0: the slot is free */
	uint32_t last_day;           /* since 1970, UTC: when it was given out last */
	struct {
		_Atomic uint32_t day;
		_Atomic int64_t nusd;
	} under_way[2]; /* by the day's parity */
	struct {
		uint32_t period; /* number of the window */
		int64_t nusd;
	} lost[RESERVATION_WINDOWS]; /* found by starts before: day, week, month */
};

/* What an earlier run left, or nothing. What no start has asked for in 62 days is forgotten. 0, -errno and why. */
int reservations_open(
	struct reservations **reservations, const char *data_dir, uint32_t day, char *why, size_t why_bytes);
void reservations_close(struct reservations *reservations); /* NULL: nothing */

/* The slot of that name, found or made; NULL: all are taken. */
struct reservation *reservations_slot(struct reservations *reservations, uint64_t name, uint32_t day);

#endif
