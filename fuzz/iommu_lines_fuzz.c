/* Any bytes as a line of a batch: a question that reads the same when it is written again, or a
 * refusal with a sentence. */
#include "prog/midplane_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_walk(char *line)
{
	struct iommu_request request = { .pasid = IOMMU_NO_PASID }, again = request;
	struct refusal why = { .text = "" };
	char source[WORDS_SOURCE_MAX], text[80];

	if (!words_parse_walk(line, &request, &why)) {
		must(why.text[0] != 0);
		return;
	}
	words_print_source(request.source, source);
	snprintf(text, sizeof text, "%s\t0x%" PRIx64 "\t%s", source, request.address,
		 words_rights(request.access));
	must(words_parse_walk(text, &again, NULL));
	must(again.source == request.source && again.address == request.address &&
	     again.access == request.access);
}

static void check_message(char *line)
{
	struct iommu_message message, again;
	struct refusal why = { .text = "" };
	char source[WORDS_SOURCE_MAX], text[80];

	if (!words_parse_message(line, &message, &why)) {
		must(why.text[0] != 0);
		return;
	}
	words_print_source(message.source, source);
	snprintf(text, sizeof text, "%s\t%" PRIx64 "\t%" PRIx32, source, message.address,
		 message.data);
	must(words_parse_message(text, &again, NULL));
	must(again.source == message.source && again.address == message.address &&
	     again.data == message.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[1025];
	uint32_t pasid;

	if (size >= sizeof line)
		return 0;
	memcpy(line, data, size);
	line[size] = 0;
	if (words_parse_pasid(line, &pasid))
		must(pasid < 1u << 20);
	check_walk(line);
	memcpy(line, data, size);
	line[size] = 0;
	check_message(line);
	return 0;
}
