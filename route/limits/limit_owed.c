/* Settlements gathered: see limit_owed.h. */
#include "route/limits/limit_owed.h"

/* As the slots of a minute, the shortest window. */
static uint64_t second_of(uint64_t ns)
{
	return ns / (LIMIT_MINUTE_NS / LIMIT_WINDOW_SLOTS);
}

/* Where unused tokens go; NULL: no more seconds fit. */
static struct limit_owed_second *find_second(struct limit_owed *owed, uint64_t debited_ns)
{
	for (unsigned i = 0; i < owed->seconds; i++)
		if (second_of(owed->unused[i].debited_ns) == second_of(debited_ns))
			return &owed->unused[i];
	if (owed->seconds == LIMIT_OWED_SECONDS)
		return NULL;
	owed->unused[owed->seconds] = (struct limit_owed_second){.debited_ns = debited_ns};
	return &owed->unused[owed->seconds++];
}

static bool is_gathered(const struct limit_owed *owed, const struct limit_return *back)
{
	if (back->requests || back->ended || back->hosted || back->balance_used_nusd || back->allowance)
		return false;
	return owed->count == 0 || owed->budget_day == back->budget_day;
}

bool limit_owed_add(struct limit_owed *owed, const struct limit_return *back)
{
	struct limit_owed_second *second;

	if (!is_gathered(owed, back))
		return false;
	if (back->tokens) {
		second = find_second(owed, back->debited_ns);
		if (!second)
			return false;
		second->day = back->day;
		second->tokens += back->tokens;
	}
	owed->count++;
	owed->budget_day = back->budget_day;
	owed->excess_tokens += back->excess_tokens;
	owed->reserved_nusd += back->reserved_nusd;
	owed->used_nusd += back->used_nusd;
	return true;
}

unsigned limit_owed_parts(const struct limit_owed *owed, struct limit_return parts[static LIMIT_OWED_SECONDS])
{
	parts[0] = (struct limit_return){0};
	for (unsigned i = 0; i < owed->seconds; i++)
		parts[i] = (struct limit_return){.debited_ns = owed->unused[i].debited_ns,
			.day = owed->unused[i].day,
			.tokens = owed->unused[i].tokens};
	parts[0].excess_tokens = owed->excess_tokens;
	parts[0].reserved_nusd = owed->reserved_nusd;
	parts[0].used_nusd = owed->used_nusd;
	parts[0].budget_day = owed->budget_day;
	return owed->seconds ? owed->seconds : 1;
}
