#include "prog/midplane_batch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

struct batch {
	const struct call *call;
	batch_answer_fn *answer;
	void *context;
	uint64_t line; /* number of the line that is looked at, 1.. */
	enum midplane_exit code;
	bool skipping; /* the rest of a line that is too long */
	size_t used;   /* bytes read of which no line has been made */
	char bytes[CHUNK];
};

static void complain(struct batch *batch, const char *text)
{
	batch->code = MIDPLANE_REFUSED;
	midplane_complain(batch->call, "line %llu: %s", (unsigned long long)batch->line, text);
}

static void answer_line(struct batch *batch, const char *line, size_t size)
{
	char copy[BATCH_LINE_MAX + 1], answer[BATCH_ANSWER_MAX];
	struct refusal why = { .text = "" };

	if (size && line[size - 1] == '\r')
		size--;
	batch->line++;
	if (size > BATCH_LINE_MAX) {
		complain(batch, "longer than any question");
		return;
	}
	if (memchr(line, 0, size)) {
		complain(batch, "there is a zero byte in it");
		return;
	}
	memcpy(copy, line, size);
	copy[size] = 0;
	if (!batch->answer(batch->context, copy, answer, &why)) {
		complain(batch, why.text);
		return;
	}
	fwrite(line, 1, size, stdout);
	putchar('\t');
	fputs(answer, stdout);
	putchar('\n');
}

/* Answers all whole lines that are there. */
static void answer_lines(struct batch *batch)
{
	size_t start = 0;
	char *end;

	while ((end = memchr(batch->bytes + start, '\n', batch->used - start)) != NULL) {
		size_t size = (size_t)(end - (batch->bytes + start));

		if (!batch->skipping)
			answer_line(batch, batch->bytes + start, size);
		batch->skipping = false;
		start += size + 1;
	}
	batch->used -= start;
	memmove(batch->bytes, batch->bytes + start, batch->used);
	if (batch->used == CHUNK) { /* one line, and more of it to come */
		if (!batch->skipping)
			answer_line(batch, batch->bytes, batch->used);
		batch->skipping = true;
	}
	if (batch->skipping)
		batch->used = 0;
}

enum midplane_exit batch_run(const struct call *call, batch_answer_fn *answer, void *context)
{
	struct batch batch = { .call = call, .answer = answer, .context = context };

	for (;;) {
		ssize_t n = read(STDIN_FILENO, batch.bytes + batch.used, CHUNK - batch.used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			midplane_complain(call, "standard input: %s", strerror(errno));
			return MIDPLANE_REFUSED;
		}
		if (n == 0)
			break;
		batch.used += (size_t)n;
		answer_lines(&batch);
		if (fflush(stdout) != 0)
			return MIDPLANE_REFUSED; /* main() says so */
	}
	if (batch.used)
		answer_line(&batch, batch.bytes, batch.used);
	return batch.code;
}
