/* What stands on a half of a mirror: any bytes, with the checksum that they should have. */
#include "card/mirror_internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mark mark, again;
	static uint8_t bytes[MARK_COPY_SIZE], copy[MARK_COPY_SIZE];

	memset(bytes, 0, sizeof bytes);
	memcpy(bytes, data, min_u64(size, sizeof bytes));
	mark_seal(bytes);
	if (mark_decode(&mark, bytes, NULL))
		return 0;
	must(mark.size > 0 && mark.size % 4096 == 0);
	mark_encode(&mark, copy);
	must(mark_decode(&again, copy, NULL) == 0);
	must(again.generation == mark.generation && again.size == mark.size);
	must(memcmp(&again.marked, &mark.marked, sizeof mark.marked) == 0);
	return 0;
}
