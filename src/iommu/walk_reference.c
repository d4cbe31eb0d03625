/* iommu/walk_reference.c -- prints the tables of docs/iommu-walk.md; a test compares the two. */
#include "iommu/vtd_internal.h"
#include "iommu/vtd_quirks.h"

#include <stdio.h>

static void print_quirks(void)
{
	struct vtd_quirk_row row;

	printf("\n### Quirks of QEMU 7.2\n\n");
	printf("| quirk | what differs |\n| --- | --- |\n");
	for (unsigned n = 0; vtd_quirks_row(n, &row); n++)
		printf("| `%s` | %s |\n", row.name, row.sentence);
}

static void print_reasons(void)
{
	const char *unknown = vtd_reason_text(SPEC_VTD_REASONS);
	struct vtd_walk walk = { .quirks = 0 };

	printf("\n### Reasons of VT-d\n\n");
	printf("| reason | meaning | fault processing disable silences it |\n| --- | --- | --- |\n");
	for (unsigned reason = 1; reason < SPEC_VTD_REASONS; reason++)
		if (vtd_reason_text(reason) != unknown)
			printf("| %02Xh | %s | %s |\n", reason, vtd_reason_text(reason),
			       vtd_reason_is_qualified(&walk, (enum spec_vtd_reason)reason)
				       ? "yes"
				       : "");
}

int main(void)
{
	print_quirks();
	print_reasons();
	return 0;
}
