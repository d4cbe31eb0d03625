/* prog/midplaned.c -- the daemon: reads a site file, brings the site to life, serves its socket, and takes
 * everything down again on SIGTERM, SIGINT or SIGHUP. */
#include "manage/site_lock.h"
#include "os/clock.h"
#include "os/guest_memory.h"
#include "os/log.h"
#include "prog/hand_over.h"
#include "prog/site_lines.h"
#include "prog/site_run.h"
#include "prog/site_serve.h"
#include "store/site_file.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Documented in midplaned(8). */
enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_HELD = 3, EXIT_NOT_HANDED_OVER = 4 };

static const char usage[] =
	"Usage: midplaned [OPTIONS] SITE.yaml\n"
	"Runs the site that the file describes, in the foreground, until SIGTERM, SIGINT or SIGHUP.\n\n"
	"  -s, --socket PATH      serve the tool here (default: derived from the site's name)\n"
	"  -l, --log-level LEVEL  error, warning, info or debug (default: info)\n"
	"  -m, --memory MIB       ordinary memory for frames where there are no hugepages\n"
	"                         (default: what the site needs)\n"
	"  -t, --take-over        take the site over from the daemon that runs it, with its guests\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n\n"
	"Exit codes: 0 stopped as asked; 1 the site was refused or could not start; 2 usage;\n"
	"3 somebody else runs this site; 4 it was not handed over, and the other daemon goes on.\n"
	"See midplaned(8) and midplane-site(5).\n";

struct options {
	const char *socket, *site_path;
	unsigned memory_mb;
	bool take_over;
};

/* A terminal that goes away ends it as ^C does; nohup is heeded. */
enum { STOP_SIGNALS = 3 };
static const int stop_signals[STOP_SIGNALS] = { SIGTERM, SIGINT, SIGHUP };

struct daemon {
	uv_loop_t loop;
	uv_signal_t signal[STOP_SIGNALS];
	struct site *site;
	struct site_lock *lock;
	struct site_run *run;
	struct site_serve *serve;
	struct hand_over *hand;
	bool stopping; /* on request */
	bool gone;     /* the site is another daemon's */
};

/* The exit code when all that was asked for is printed, or cannot be. */
static int end_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fputs("midplaned: cannot write the output\n", stderr);
	return EXIT_REFUSED;
}

static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "log-level", required_argument, NULL, 'l' },
		{ "memory", required_argument, NULL, 'm' },
		{ "take-over", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	enum log_level level;
	int c;

	while ((c = getopt_long(argc, argv, "s:l:m:thV", known, NULL)) != -1) {
		switch (c) {
		case 's':
			options->socket = optarg;
			if (!*optarg) {
				fputs("midplaned: --socket: name a path\n", stderr);
				return EXIT_USAGE;
			}
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
		case 't':
			options->take_over = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(end_output());
		case 'V':
			puts("midplaned " MIDPLANE_VERSION);
			exit(end_output());
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
	struct daemon *daemon = signal->data;

	log_info("prog", "stopping on request signal=%d", number);
	daemon->stopping = true;
	uv_stop(signal->loop);
}

static bool is_ignored(int number)
{
	struct sigaction now;

	return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* Opens the event loop.  From here on a signal to stop waits until there is something to stop. */
static void open_loop(struct daemon *daemon)
{
	must(uv_loop_init(&daemon->loop) == 0);
	for (unsigned i = 0; i < STOP_SIGNALS; i++) {
		must(uv_signal_init(&daemon->loop, &daemon->signal[i]) == 0);
		daemon->signal[i].data = daemon;
		if (stop_signals[i] != SIGHUP || !is_ignored(SIGHUP))
			must(uv_signal_start(&daemon->signal[i], on_signal, stop_signals[i]) == 0);
	}
}

static int start_environment(struct daemon *daemon, const struct options *options,
			     struct refusal *why)
{
	const char *pci[FAILOVER_CARDS_MAX + 1] = { NULL };
	struct site_card_place place;
	struct eal_conf conf = {
		.name = daemon->site->name,
		.memory_mb = options->memory_mb,
	};
	unsigned cards = 0, pci_count = 0;
	uint64_t bytes;
	int err = site_lines_memory(daemon->site, site_run_workers(daemon->site), &bytes, why);

	if (err)
		return err;
	if (!conf.memory_mb) /* what lines ask for, and room for DPDK's own tables */
		conf.memory_mb = 64 + (unsigned)(bytes * 9 / 8 >> 20);
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

static void stop_site(struct daemon *daemon)
{
	site_serve_destroy(daemon->serve);
	site_run_destroy(daemon->run);
	daemon->serve = NULL;
	daemon->run = NULL;
}

static void stop(struct daemon *daemon)
{
	hand_over_destroy(daemon->hand);
	stop_site(daemon);
	uv_walk(&daemon->loop, on_walk, NULL);
	uv_run(&daemon->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&daemon->loop) == 0);
	if (daemon->gone)
		site_lock_abandon(daemon->lock);
	else
		site_lock_release(daemon->lock);
	eal_stop();
}

static int start_site(struct daemon *daemon, struct refusal *why)
{
	int err = site_run_create(&daemon->run, daemon->site, &daemon->loop, site_lock_run_dir(daemon->lock),
				  why);

	return err ? err : site_serve_create(&daemon->serve, daemon->run, site_lock_socket(daemon->lock), why);
}

static int let_take_over(struct daemon *daemon, struct refusal *why)
{
	char path[SITE_LOCK_PATH_MAX];
	int err = site_lock_hand_over_path(daemon->site->name, path);

	if (err) {
		refuse(why, "", "the run directory has too long a name for sockets");
		return err;
	}
	return hand_over_create(&daemon->hand, daemon->run, path, site_lock_socket(daemon->lock), why);
}

/* An interface has a few descriptors, and a site thousands of them: what the host allows is used, since
 * nothing here is bound to descriptors below 1024. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warning("prog", "the limit of open files stays as it is: %s", strerror(errno));
}

static int prepare(struct daemon *daemon, const struct options *options, struct refusal *why)
{
	int err = guest_memory_guard();

	if (err) {
		refuse(why, "", "cannot guard against vanishing guest memory: %s", strerror(-err));
		return err;
	}
	raise_file_limit();
	return start_environment(daemon, options, why);
}

static void say_up(const struct daemon *daemon, uint64_t begun_ns)
{
	for (unsigned g = 0; g < daemon->site->groups_count; g++)
		if (daemon->site->groups[g].chosen)
			log_info("prog", "members were chosen group=%s: %s", daemon->site->groups[g].name,
				 daemon->site->groups[g].chosen);
	log_info("prog", "site is up name=%s socket=%s memory='%s' start_ms=%llu", daemon->site->name,
		 site_lock_socket(daemon->lock), eal_memory_kind(),
		 (unsigned long long)((clock_now_ns() - begun_ns) / 1000000));
}

/* The site goes to another daemon, which has asked for it, or it does not and goes on here.  0; -errno with
 * 'why' when it cannot go on. */
static int hand_over(struct daemon *daemon, struct refusal *why)
{
	int locks[SITE_LOCK_FDS], err;
	unsigned count = site_lock_fds(daemon->lock, locks);

	if (hand_over_collect(daemon->hand))
		return 0;
	stop_site(daemon);
	uv_run(&daemon->loop, UV_RUN_NOWAIT); /* handles close */
	daemon->gone = hand_over_send(daemon->hand, locks, count);
	if (daemon->gone)
		return 0;
	err = start_site(daemon, why);
	if (!err)
		hand_over_restore(daemon->hand, daemon->run);
	return err;
}

static int serve_site(struct daemon *daemon, struct refusal *why)
{
	int err = 0;

	while (!err && !daemon->stopping && !daemon->gone) {
		uv_run(&daemon->loop, UV_RUN_DEFAULT);
		if (hand_over_wanted(daemon->hand))
			err = hand_over(daemon, why);
	}
	return err;
}

static int run(struct daemon *daemon, const struct options *options)
{
	uint64_t begun_ns = clock_now_ns();
	struct refusal why = { 0 };
	bool held;
	int err;

	open_loop(daemon);
	err = site_lock_take(daemon->site->name, options->socket, &daemon->lock, &why);
	held = err == -EBUSY;
	if (!err)
		err = prepare(daemon, options, &why);
	if (!err)
		err = start_site(daemon, &why);
	if (!err)
		err = let_take_over(daemon, &why);
	if (!err) {
		say_up(daemon, begun_ns);
		err = serve_site(daemon, &why);
	}
	stop(daemon);
	return err ? fail(&why, held ? EXIT_HELD : EXIT_REFUSED) : 0;
}

/* All that is there once the other daemon has let go. */
static int take_site(struct daemon *daemon, const struct options *options, struct hand_take *take,
		     struct refusal *why)
{
	unsigned count;
	const int *locks;
	int err = hand_take_receive(take, why);

	if (err)
		return err;
	locks = hand_take_locks(take, &count);
	err = site_lock_adopt(daemon->site->name, options->socket, locks, count, &daemon->lock, why);
	if (!err)
		err = start_site(daemon, why);
	if (!err)
		err = let_take_over(daemon, why);
	return err ? err : hand_take_place(take, daemon->run, why);
}

static int ask(struct daemon *daemon, const struct options *options, struct hand_take **take, struct refusal *why)
{
	char path[SITE_LOCK_PATH_MAX], socket[SITE_LOCK_PATH_MAX];
	int err = site_lock_hand_over_path(daemon->site->name, path);

	if (err) {
		refuse(why, "", "the run directory has too long a name for sockets");
		return err;
	}
	err = site_lock_place_socket(daemon->site->name, options->socket, socket, why);
	return err ? err : hand_take_begin(take, path, daemon->site, socket, why);
}

static int take_over(struct daemon *daemon, const struct options *options)
{
	uint64_t begun_ns = clock_now_ns();
	struct hand_take *take = NULL;
	struct refusal why = { 0 };
	int err = ask(daemon, options, &take, &why);

	if (err) {
		hand_take_end(take, &why);
		return fail(&why, EXIT_NOT_HANDED_OVER);
	}
	open_loop(daemon);
	err = prepare(daemon, options, &why);
	if (!err)
		err = take_site(daemon, options, take, &why);
	if (err) {
		daemon->gone = true; /* it is not ours */
		stop(daemon);
		hand_take_end(take, &why);
		return fail(&why, EXIT_NOT_HANDED_OVER);
	}
	hand_take_end(take, NULL);
	if (site_lock_own(daemon->lock, daemon->site->name))
		log_warning("prog", "the lock file still names another process");
	say_up(daemon, begun_ns);
	err = serve_site(daemon, &why);
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
	code = options.take_over ? take_over(&daemon, &options) : run(&daemon, &options);
	site_file_free(daemon.site);
	return code;
}
