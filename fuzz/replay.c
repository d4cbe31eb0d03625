/* fuzz/replay.c -- runs one fuzz target without libFuzzer: every file of its corpus, then seeded
 * mutations of them for a while, so that `make test` exercises each target with any compiler.
 *
 * replay CORPUS_DIRECTORY [FILE...]   MIDPLANE_FUZZ_RUNS (default 3000), MIDPLANE_SEED (default 1) */
#include "base/base.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1 << 16, SEEDS_MAX = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	uint8_t *bytes;
	size_t size;
} corpus[SEEDS_MAX];
static unsigned corpus_count;

static void load(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(INPUT_MAX);

	if (!file || !bytes || corpus_count == SEEDS_MAX) {
		fprintf(stderr, "replay: cannot load %s\n", path);
		exit(1);
	}
	corpus[corpus_count].size = fread(bytes, 1, INPUT_MAX, file);
	corpus[corpus_count++].bytes = bytes;
	fclose(file);
}

static void load_directory(const char *path)
{
	DIR *directory = opendir(path);
	char name[4096];

	if (!directory) {
		fprintf(stderr, "replay: no corpus at %s\n", path);
		exit(1);
	}
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		load(name);
	}
	closedir(directory);
}

/* Runs a copy in memory of exactly that size, so that a sanitizer sees every overrun. */
static void run(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	must(copy != NULL);
	if (size)
		memcpy(copy, bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static size_t mutate(uint64_t *seed, uint8_t *bytes)
{
	unsigned from = (unsigned)(rand_u64(seed) % corpus_count);
	size_t size = corpus[from].size;

	memcpy(bytes, corpus[from].bytes, size);
	for (uint64_t edits = 1 + rand_u64(seed) % 8; edits-- && size;) {
		size_t at = rand_u64(seed) % size;

		switch (rand_u64(seed) % 5) {
		case 0:
			bytes[at] = (uint8_t)rand_u64(seed);
			break;
		case 1:
			bytes[at] ^= (uint8_t)(1u << rand_u64(seed) % 8);
			break;
		case 2:
			bytes[at] = rand_u64(seed) % 2 ? 0xff : 0;
			break;
		case 3:
			size = at + 1;
			break;
		default: {
			size_t n = min_u64(rand_u64(seed) % 64, INPUT_MAX - size);
			size_t source = rand_u64(seed) % size;

			n = min_u64(n, size - source);
			memmove(bytes + size, bytes + source, n);
			size += n;
			break;
		}
		}
	}
	return size;
}

int main(int argc, char **argv)
{
	const char *runs_text = getenv("MIDPLANE_FUZZ_RUNS"), *seed_text = getenv("MIDPLANE_SEED");
	unsigned long runs = runs_text ? strtoul(runs_text, NULL, 0) : 3000;
	uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1;
	static uint8_t bytes[2 * INPUT_MAX];

	if (argc < 2) {
		fprintf(stderr, "usage: %s CORPUS_DIRECTORY [FILE...]\n", argv[0]);
		return 2;
	}
	printf("# seed %llu, %lu mutations\n", (unsigned long long)seed, runs);
	if (argc > 2)
		for (int i = 2; i < argc; i++)
			load(argv[i]);
	else
		load_directory(argv[1]);
	for (unsigned i = 0; i < corpus_count; i++)
		run(corpus[i].bytes, corpus[i].size);
	for (unsigned long i = 0; argc == 2 && corpus_count && i < runs; i++) {
		size_t size = mutate(&seed, bytes);

		run(bytes, size);
	}
	printf("# %u corpus files and the mutations passed\n", corpus_count);
	for (unsigned i = 0; i < corpus_count; i++)
		free(corpus[i].bytes);
	return 0;
}
