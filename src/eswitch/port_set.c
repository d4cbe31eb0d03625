#include "eswitch/eswitch.h"

bool esw_set_is_empty(const struct esw_port_set *set)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < ESW_SET_WORDS; i++)
		any |= set->word[i];
	return !any;
}

unsigned esw_set_count(const struct esw_port_set *set)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ESW_SET_WORDS; i++)
		for (uint64_t bits = set->word[i]; bits; bits &= bits - 1)
			count++;
	return count;
}

unsigned esw_set_next(const struct esw_port_set *set, unsigned from)
{
	unsigned word = from / 64;
	uint64_t bits;

	must(!esw_set_is_empty(set));
	if (from >= ESW_SET_WORDS * 64)
		word = from = 0;
	bits = set->word[word] & ~UINT64_C(0) << (from % 64);
	while (!bits) {
		word = word + 1 < ESW_SET_WORDS ? word + 1 : 0;
		bits = set->word[word];
	}
	return word * 64 + lowest_bit(bits);
}
