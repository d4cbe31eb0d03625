/* Any bytes as a model written by hand: refused with words, or a checked model whose tops can be
 * made flat; and all memory comes back. */
#include "avail/flatten.h"
#include "store/avail_file.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_MAX = 256 << 20, TOPS_MAX = 16 };

static void *resize(void *context, void *old, size_t size)
{
	(void)context;
	if (size > 0)
		return realloc(old, size);
	free(old);
	return NULL;
}

static void judge(void *arg, const struct avail_finding *finding)
{
	unsigned *mistakes = arg;

	must(finding->what->text[0] != 0);
	*mistakes += !finding->warning;
}

static void flatten(struct avail_model *model)
{
	for (uint32_t i = 0; i < model->top_count && i < TOPS_MAX; i++) {
		struct avail_flat flat;
		uint32_t ref;

		if (avail_flatten(&flat, model, &model->tops[i].down, 1, &ref) != 0)
			return;
		avail_flat_fini(&flat);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct avail_memory memory = { .resize = resize, .limit = MEMORY_MAX };
	unsigned mistakes = 0;
	struct avail_findings findings = { .report = judge, .arg = &mistakes };
	struct avail_model model;
	int err;

	must(avail_model_init(&model, &memory, "fuzz") == 0);
	err = avail_file_read("fuzz", (const char *)data, size, &model, &findings);
	must((err != 0) == (mistakes > 0));
	must(err == 0 || err == -EINVAL || err == -ENOMEM);
	if (!err)
		flatten(&model);
	avail_model_fini(&model);
	must(memory.used == 0);
	return 0;
}
