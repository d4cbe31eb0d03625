/* prog/midplaned.c -- the daemon: reads a site file, brings the site to life, serves its socket, and takes
 * everything down again on SIGTERM or SIGINT. */
#include "manage/site_lock.h"
#include "os/clock.h"
#include "os/guest_memory.h"
#include "os/log.h"
#include "prog/site_run.h"
#include "prog/site_serve.h"
#include "store/site_file.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Documented in midplaned(8). */
enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_HELD = 3 };

static const char usage[] =
	"Usage: midplaned [OPTIONS] SITE.yaml\n"
	"Runs the site that the file describes, in the foreground, until SIGTERM or SIGINT.\n\n"
	"  -s, --socket PATH      serve the tool here (default: derived from the site's name)\n"
	"  -l, --log-level LEVEL  error, warning, info or debug (default: info)\n"
	"  -m, --memory MIB       ordinary memory for frames where there are no hugepages\n"
	"                         (default: what the site needs)\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n\n"
	"Exit codes: 0 stopped as asked; 1 the site was refused or could not start; 2 usage;\n"
	"3 somebody else runs this site.  See midplaned(8) and midplane-site(5).\n";

struct options {
	const char *socket, *site_path;
	unsigned memory_mb;
};

struct daemon {
	uv_loop_t loop;
	uv_signal_t term, interrupt;
	struct site *site;
	struct site_lock *lock;
	struct site_run *run;
	struct site_serve *serve;
};

static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "log-level", required_argument, NULL, 'l' },
		{ "memory", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	enum log_level level;
	int c;

	while ((c = getopt_long(argc, argv, "s:l:m:hV", known, NULL)) != -1) {
		switch (c) {
		case 's':
			options->socket = optarg;
			break;
		case 'l':
			if (log_parse_level(optarg, &level) != 0) {
				fprintf(stderr, "midplaned: --log-level: '%s' is none of error, warning, info, debug\n",
					optarg);
				return EXIT_USAGE;
			}
			log_set_level(level);
			break;
		case 'm': {
			char *end;
			unsigned long mb = strtoul(optarg, &end, 10);

			if (*end || mb < 64 || mb > 65536) {
				fprintf(stderr, "midplaned: --memory: '%s' is not a number of MiB from 64 to 65536\n",
					optarg);
				return EXIT_USAGE;
			}
			options->memory_mb = (unsigned)mb;
			break;
		}
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'V':
			puts("midplaned " MIDPLANE_VERSION);
			exit(0);
		default:
			fputs("Try 'midplaned --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "midplaned: %s\nTry 'midplaned --help'.\n",
			optind == argc ? "name the site file to run"
				       : "one site file at a time, please");
		return EXIT_USAGE;
	}
	options->site_path = argv[optind];
	return 0;
}

static int fail(const struct refusal *why, int exit_code)
{
	fprintf(stderr, "midplaned: %s%s%s\n", why->path, why->path[0] ? ": " : "", why->text);
	return exit_code;
}

static void on_signal(uv_signal_t *signal, int number)
{
	log_info("prog", "stopping on request signal=%d", number);
	uv_stop(signal->loop);
}

static void watch_signals(struct daemon *daemon)
{
	must(uv_signal_init(&daemon->loop, &daemon->term) == 0);
	must(uv_signal_init(&daemon->loop, &daemon->interrupt) == 0);
	must(uv_signal_start(&daemon->term, on_signal, SIGTERM) == 0);
	must(uv_signal_start(&daemon->interrupt, on_signal, SIGINT) == 0);
}

/* Buffers of every card, and room for DPDK's own tables. */
static unsigned memory_needed_mb(const struct site *site)
{
	struct site_card_place place;
	uint64_t buffers = 0;

	for (unsigned i = 0; site_card_at(site, i, &place); i++)
		buffers += place.card->vfs * UINT64_C(64) + 4096;
	return 64 + (unsigned)(buffers * 2560 / (1024 * 1024)) * 5 / 4;
}

static int start_environment(struct daemon *daemon, const struct options *options,
			     struct refusal *why)
{
	const char *pci[FAILOVER_CARDS_MAX + 1] = { NULL };
	struct site_card_place place;
	struct eal_conf conf = {
		.name = daemon->site->name,
		.memory_mb = options->memory_mb ? options->memory_mb
						: memory_needed_mb(daemon->site),
	};
	unsigned cards = 0, pci_count = 0;

	for (; site_card_at(daemon->site, cards, &place) && cards < FAILOVER_CARDS_MAX; cards++)
		if (place.card->line && strncmp(place.card->line, "net_", 4) != 0)
			pci[pci_count++] = place.card->line;
	conf.workers = site_run_workers(daemon->site);
	conf.pci_allow = pci_count ? pci : NULL;
	return eal_start(&conf, why);
}

static void on_walk(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void stop(struct daemon *daemon)
{
	site_serve_destroy(daemon->serve);
	site_run_destroy(daemon->run);
	uv_walk(&daemon->loop, on_walk, NULL);
	uv_run(&daemon->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&daemon->loop) == 0);
	site_lock_release(daemon->lock);
	eal_stop();
}

static int start(struct daemon *daemon, const struct options *options, struct refusal *why)
{
	int err;

	err = guest_memory_guard();
	if (err) {
		refuse(why, "", "cannot guard against vanishing guest memory: %s", strerror(-err));
		return err;
	}
	err = start_environment(daemon, options, why);
	if (!err)
		err = site_run_create(&daemon->run, daemon->site, &daemon->loop,
				      site_lock_run_dir(daemon->lock), why);
	if (!err)
		err = site_serve_create(&daemon->serve, daemon->run,
					site_lock_socket(daemon->lock), why);
	return err;
}

static int run(struct daemon *daemon, const struct options *options)
{
	uint64_t begun_ns = clock_now_ns();
	struct refusal why = { 0 };
	int err = site_lock_take(daemon->site->name, options->socket, &daemon->lock, &why);

	if (err)
		return fail(&why, err == -EBUSY ? EXIT_HELD : EXIT_REFUSED);
	must(uv_loop_init(&daemon->loop) == 0);
	watch_signals(daemon);
	err = start(daemon, options, &why);
	if (!err) {
		for (unsigned g = 0; g < daemon->site->groups_count; g++)
			if (daemon->site->groups[g].chosen)
				log_info("prog", "members were chosen group=%s: %s",
					 daemon->site->groups[g].name, daemon->site->groups[g].chosen);
		log_info("prog", "site is up name=%s socket=%s memory='%s' start_ms=%llu",
			 daemon->site->name, site_lock_socket(daemon->lock), eal_memory_kind(),
			 (unsigned long long)((clock_now_ns() - begun_ns) / 1000000));
		uv_run(&daemon->loop, UV_RUN_DEFAULT);
	}
	stop(daemon);
	return err ? fail(&why, EXIT_REFUSED) : 0;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	static struct daemon daemon;
	int code = parse_options(argc, argv, &options);

	if (code)
		return code;
	if (site_file_load(options.site_path, &daemon.site, site_file_print, stderr) != 0)
		return EXIT_REFUSED;
	code = run(&daemon, &options);
	site_file_free(daemon.site);
	return code;
}
