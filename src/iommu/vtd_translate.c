#include "iommu/vtd_reader.h"

/* Alone in its file, so that a hit does not pay for the registers and the stack of what follows a
 * miss. */
void vtd_translate(struct vtd_reader *reader, const struct iommu_request *request,
		   struct iommu_answer *answer)
{
	if (unlikely(!reader_find(&reader->base, request, reader_key(request), answer)))
		vtd_look_further(reader, request, answer);
}
