/* Any bytes as a site file: accepted or refused, never a crash; and libcyaml never refuses what the
 * rows accepted. */
#include "store/site_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(void *arg, const struct site_finding *finding)
{
	(void)arg;
	must(strncmp(finding->what->text, "cannot be loaded", 16) != 0);
	must(finding->what->text[0] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct site *site;
	int err = site_file_load_bytes("fuzz", data, size, &site, judge, NULL);

	must((err == 0) == (site != NULL));
	site_file_free(site);
	return 0;
}
