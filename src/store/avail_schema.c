#include "store/avail_schema.h"

#include "avail/model.h"

#include <stdio.h>
#include <string.h>

#define WORDS(list) .type = AVAIL_SAID_WORD, .words = list, .word_count = array_len(list)
#define AT(type, member) .offset = offsetof(struct type, member)
#define NAME(of, sentence) \
	{ .key = "name", .type = AVAIL_SAID_NAME, .need = AVAIL_SAID_MANDATORY, AT(of, name), \
	  .help = sentence }
#define TIME(spelling, of, member) \
	.key = spelling, .type = AVAIL_SAID_QUANTITY, .dimension = AVAIL_TIME, AT(of, member)
#define RATE(spelling, of, member) \
	.key = spelling, .type = AVAIL_SAID_QUANTITY, .dimension = AVAIL_RATE, AT(of, member)
#define PLAIN(spelling, of, member) \
	.key = spelling, .type = AVAIL_SAID_QUANTITY, .dimension = AVAIL_PLAIN, AT(of, member)
#define ANY(spelling, of, member) .key = spelling, .type = AVAIL_SAID_ANY, AT(of, member)
#define LIST(spelling, which, member) \
	.key = spelling, .type = AVAIL_SAID_SECTION, .section = which, .max = AVAIL_THINGS_MAX, \
	AT(said_model, member)

static const struct avail_said_word distributions[] = {
	{ "constant", SAID_CONSTANT },   { "uniform", SAID_UNIFORM },
	{ "normal", SAID_NORMAL },       { "lognormal", SAID_LOGNORMAL },
	{ "gamma", SAID_GAMMA },         { "beta", SAID_BETA },
	{ "histogram", SAID_HISTOGRAM },
};
static const struct avail_said_word block_kinds[] = {
	{ "series", SAID_SERIES },
	{ "parallel", SAID_PARALLEL },
	{ "k-of-n", SAID_K_OF_N },
};
static const struct avail_said_word gate_kinds[] = {
	{ "and", AVAIL_FORMULA_AND },           { "or", AVAIL_FORMULA_OR },
	{ "not", AVAIL_FORMULA_NOT },           { "xor", AVAIL_FORMULA_XOR },
	{ "iff", AVAIL_FORMULA_IFF },           { "nand", AVAIL_FORMULA_NAND },
	{ "nor", AVAIL_FORMULA_NOR },           { "imply", AVAIL_FORMULA_IMPLY },
	{ "at-least", AVAIL_FORMULA_AT_LEAST }, { "cardinality", AVAIL_FORMULA_CARDINALITY },
};
static const struct avail_said_word ccf_models[] = {
	{ "beta", AVAIL_CCF_BETA },
	{ "mgl", AVAIL_CCF_MGL },
	{ "alpha", AVAIL_CCF_ALPHA },
	{ "phi", AVAIL_CCF_PHI },
};
static const struct avail_said_word standbys[] = {
	{ "hot", AVAIL_HOT },
	{ "warm", AVAIL_WARM },
	{ "cold", AVAIL_COLD },
};
static const struct avail_said_word uncovereds[] = {
	{ "takes-all", AVAIL_UNCOVERED_TAKES_ALL },
	{ "waits", AVAIL_UNCOVERED_WAITS },
};

static const struct avail_row model_rows[] = {
	NAME(said_model, "Names the model."),
	{ .key = "mission", .type = AVAIL_SAID_HOURS, .min = 1, .preset = "1y", AT(said_model, mission_h),
	  .help = "Time that reliability is asked for, and that unrepaired things have to fail." },
	{ LIST("parameters", AVAIL_SAID_PARAMETER, parameters),
	  .help = "Values with a name, perhaps not known exactly." },
	{ LIST("units", AVAIL_SAID_UNIT, units), .help = "What can fail and be replaced." },
	{ LIST("events", AVAIL_SAID_EVENT, events),
	  .help = "What happens otherwise: human errors, demands, what other tools computed." },
	{ LIST("house_events", AVAIL_SAID_HOUSE, house_events),
	  .help = "Switches of the model: true or false." },
	{ LIST("blocks", AVAIL_SAID_BLOCK, blocks),
	  .help = "Reliability blocks: what must work for something to work." },
	{ LIST("gates", AVAIL_SAID_GATE, gates),
	  .help = "Fault-tree gates: what must be down for something to be down." },
	{ LIST("common_causes", AVAIL_SAID_CCF, common_causes),
	  .help = "Groups of things that can fail together." },
	{ LIST("standby_groups", AVAIL_SAID_STANDBY, standby_groups),
	  .help = "Things that stand in for each other, with what that costs." },
	{ LIST("crews", AVAIL_SAID_CREW, crews), .help = "Who repairs, and how many at a time." },
	{ LIST("capacities", AVAIL_SAID_CAPACITY, capacities),
	  .help = "What is delivered, in parts." },
	{ LIST("tops", AVAIL_SAID_TOP, tops),
	  .absent = "each block, gate and standby group that no other refers to",
	  .help = "The services whose figures are asked for." },
};

static const struct avail_row parameter_rows[] = {
	NAME(said_parameter, "Unique among parameters; begins with a letter."),
	{ .key = "distribution", WORDS(distributions), .preset = "constant",
	  AT(said_parameter, distribution),
	  .help = "How the value is distributed; without uncertainty, its mean is taken." },
	{ ANY("value", said_parameter, value), .help = "constant: the value." },
	{ ANY("mean", said_parameter, mean), .help = "normal, lognormal: the mean." },
	{ ANY("deviation", said_parameter, deviation), .help = "normal: the standard deviation." },
	{ PLAIN("error_factor", said_parameter, error_factor),
	  .help = "lognormal: the quantile `level` over the median." },
	{ PLAIN("level", said_parameter, level), .absent = "0.95 for lognormal",
	  .help = "lognormal: the level of the error factor." },
	{ ANY("low", said_parameter, low), .help = "uniform: the lower bound." },
	{ ANY("high", said_parameter, high), .help = "uniform: the upper bound." },
	{ PLAIN("shape", said_parameter, shape), .help = "gamma: the shape." },
	{ ANY("scale", said_parameter, scale), .help = "gamma: the scale; the mean is shape times this." },
	{ PLAIN("alpha", said_parameter, alpha), .help = "beta: the first shape." },
	{ PLAIN("beta", said_parameter, beta),
	  .help = "beta: the second shape; the mean is alpha over both together." },
	{ .key = "values", .type = AVAIL_SAID_QUANTITIES, .min = 1, .max = 1000,
	  AT(said_parameter, values), .help = "histogram: the values." },
	{ .key = "weights", .type = AVAIL_SAID_QUANTITIES, .min = 1, .max = 1000,
	  AT(said_parameter, weights),
	  .help = "histogram: how likely each value is, in proportion to the others." },
};

static const struct avail_row unit_rows[] = {
	NAME(said_unit, "Unique among everything that can be down."),
	{ .key = "kind", .type = AVAIL_SAID_TEXT, .min = 1, .max = 64, .preset = "unit",
	  AT(said_unit, kind), .help = "What it is: card, carrier, power supply." },
	{ .key = "on", .type = AVAIL_SAID_NAMES, .min = 1, .max = 64, AT(said_unit, on),
	  .absent = "nothing", .help = "What it hangs on: it is down when any of these is." },
	{ TIME("mtbf", said_unit, mtbf), .help = "Mean time between failures of the hardware." },
	{ RATE("failure_rate", said_unit, failure_rate), .help = "The same as a rate." },
	{ TIME("mttr", said_unit, mttr),
	  .help = "Mean time to repair: detection, travel and exchange." },
	{ .key = "repaired", .type = AVAIL_SAID_BOOL, .preset = "true", AT(said_unit, repaired),
	  .help = "Whether it is repaired at all; without, it stays failed." },
	{ TIME("software_mtbf", said_unit, software_mtbf), .absent = "no software that fails by itself",
	  .help = "Mean time between failures that a restart mends." },
	{ TIME("restart", said_unit, restart), .help = "Mean time of such a restart." },
	{ .key = "cost", .type = AVAIL_SAID_AMOUNT, .preset = "0", AT(said_unit, cost),
	  .help = "Of one more, in your currency; lets improvements be ranked." },
};

static const struct avail_row event_rows[] = {
	NAME(said_event, "Unique among everything that can be down."),
	{ .key = "unit", .type = AVAIL_SAID_TERM, AT(said_event, unit), .absent = "none",
	  .help = "The unit that its share of the downtime is counted for." },
	{ PLAIN("probability", said_event, probability), .help = "Of being true, at any time." },
	{ TIME("mtbf", said_event, mtbf), .help = "Mean time between its beginnings." },
	{ RATE("failure_rate", said_event, failure_rate), .help = "The same as a rate." },
	{ TIME("mttr", said_event, mttr), .absent = "it stays, once it is true",
	  .help = "Mean time until it is false again." },
};

static const struct avail_row house_rows[] = {
	NAME(said_house, "Unique among everything that can be down."),
	{ .key = "state", .type = AVAIL_SAID_BOOL, .preset = "false", AT(said_house, state),
	  .help = "Whether it is true (down)." },
};

static const struct avail_row block_rows[] = {
	NAME(said_block, "Unique among everything that can be down."),
	{ .key = "kind", WORDS(block_kinds), .need = AVAIL_SAID_MANDATORY, AT(said_block, kind),
	  .help = "It works when all of its parts work, when one does, or when `needed` do." },
	{ .key = "needed", .type = AVAIL_SAID_COUNT, .max = AVAIL_THINGS_MAX, .preset = "0",
	  AT(said_block, needed), .help = "k-of-n: how many must work." },
	{ .key = "of", .type = AVAIL_SAID_NAMES, .need = AVAIL_SAID_MANDATORY, .min = 1,
	  .max = AVAIL_THINGS_MAX, AT(said_block, of),
	  .help = "Its parts: units, events, blocks, gates, standby groups." },
};

static const struct avail_row gate_rows[] = {
	NAME(said_gate, "Unique among everything that can be down."),
	{ .key = "kind", WORDS(gate_kinds), .need = AVAIL_SAID_MANDATORY, AT(said_gate, kind),
	  .help = "How its arguments go together; `xor` is true for an odd number of them." },
	{ .key = "min", .type = AVAIL_SAID_COUNT, .max = AVAIL_THINGS_MAX, .preset = "0",
	  AT(said_gate, min), .help = "at-least, cardinality: so many of them at least." },
	{ .key = "max", .type = AVAIL_SAID_COUNT, .max = AVAIL_THINGS_MAX, .preset = "0",
	  AT(said_gate, max), .help = "cardinality: so many of them at most." },
	{ .key = "of", .type = AVAIL_SAID_TERMS, .need = AVAIL_SAID_MANDATORY, .min = 1,
	  .max = AVAIL_THINGS_MAX, AT(said_gate, of),
	  .help = "Its arguments, each true when it is down; `not NAME` is the contrary." },
};

static const struct avail_row ccf_rows[] = {
	NAME(said_ccf, "Unique among common causes."),
	{ .key = "model", WORDS(ccf_models), .preset = "beta", AT(said_ccf, model),
	  .help = "What the factors mean: beta factor, multiple Greek letters, alpha or phi factors." },
	{ .key = "of", .type = AVAIL_SAID_NAMES, .need = AVAIL_SAID_MANDATORY, .min = 2, .max = 64,
	  AT(said_ccf, of), .help = "Units (their hardware) or events that can fail together." },
	{ .key = "factors", .type = AVAIL_SAID_QUANTITIES, .need = AVAIL_SAID_MANDATORY, .min = 1,
	  .max = 64, AT(said_ccf, factors),
	  .help = "beta: one; mgl: from the second level on; alpha, phi: from the first." },
	{ PLAIN("probability", said_ccf, probability), .absent = "what all members have",
	  .help = "Total of each member, from all causes." },
	{ TIME("mtbf", said_ccf, mtbf), .absent = "what all members have",
	  .help = "Total of each member, from all causes." },
	{ RATE("failure_rate", said_ccf, failure_rate), .absent = "what all members have",
	  .help = "Total of each member, from all causes." },
};

static const struct avail_row standby_rows[] = {
	NAME(said_standby, "Unique among everything that can be down."),
	{ .key = "of", .type = AVAIL_SAID_NAMES, .need = AVAIL_SAID_MANDATORY, .min = 2, .max = 64,
	  AT(said_standby, of), .help = "Its members, the active ones first." },
	{ .key = "needed", .type = AVAIL_SAID_COUNT, .min = 1, .max = 63, .preset = "1",
	  AT(said_standby, needed), .help = "How many must be active; the others stand by." },
	{ .key = "standby", WORDS(standbys), .preset = "hot", AT(said_standby, standby),
	  .help = "How a member that stands by ages: as an active one, slower, not at all." },
	{ .key = "dormancy", .type = AVAIL_SAID_SHARE, .preset = "0.5", AT(said_standby, dormancy),
	  .help = "warm: failure rate of a member that stands by, as a share of an active one's." },
	{ .key = "coverage", .type = AVAIL_SAID_SHARE, .preset = "1", AT(said_standby, coverage),
	  .help = "Probability that the failure of an active member is detected and handled." },
	{ .key = "uncovered", WORDS(uncovereds), .preset = "waits", AT(said_standby, uncovered),
	  .help = "What a failure that is not handled does: it waits for somebody, or takes all "
		  "members with it." },
	{ .key = "recovery", .type = AVAIL_SAID_HOURS, .preset = "1h", AT(said_standby, recovery_h),
	  .help = "How long it waits, mean." },
	{ .key = "switch_over", .type = AVAIL_SAID_HOURS, .preset = "0",
	  AT(said_standby, switch_over_h), .help = "Outage of a handled failure, mean." },
	{ .key = "revert", .type = AVAIL_SAID_BOOL, .preset = "false", AT(said_standby, revert),
	  .help = "Whether the first member takes over again when it is back, with another outage." },
};

static const struct avail_row crew_rows[] = {
	NAME(said_crew, "Unique among crews."),
	{ .key = "count", .type = AVAIL_SAID_COUNT, .min = 1, .max = AVAIL_THINGS_MAX, .preset = "1",
	  AT(said_crew, count), .help = "How many repairs they make at a time." },
	{ .key = "repairs", .type = AVAIL_SAID_NAMES, .need = AVAIL_SAID_MANDATORY, .min = 1,
	  .max = AVAIL_THINGS_MAX, AT(said_crew, repairs),
	  .help = "Units (their hardware) or events, in the order of failure." },
};

static const struct avail_row capacity_rows[] = {
	NAME(said_capacity, "Unique among capacities."),
	{ .key = "unit", .type = AVAIL_SAID_TEXT, .min = 1, .max = 32, .preset = "units",
	  AT(said_capacity, unit), .help = "Of the amounts: Gbit/s." },
	{ .key = "down", .type = AVAIL_SAID_TERM, AT(said_capacity, down), .absent = "nothing does",
	  .help = "What takes all of it away." },
	{ .key = "shares", .type = AVAIL_SAID_SECTION, .need = AVAIL_SAID_MANDATORY, .min = 1,
	  .max = AVAIL_THINGS_MAX, .section = AVAIL_SAID_SHARES, AT(said_capacity, shares),
	  .help = "Its parts." },
};

static const struct avail_row share_rows[] = {
	{ .key = "of", .type = AVAIL_SAID_TERM, .need = AVAIL_SAID_MANDATORY, AT(said_share, of),
	  .help = "What delivers it, unless it is down." },
	{ .key = "amount", .type = AVAIL_SAID_AMOUNT, .need = AVAIL_SAID_MANDATORY,
	  AT(said_share, amount), .help = "How much." },
};

static const struct avail_row top_rows[] = {
	NAME(said_top, "Unique among tops."),
	{ .key = "down", .type = AVAIL_SAID_TERM, .need = AVAIL_SAID_MANDATORY, AT(said_top, down),
	  .help = "What is down when the service is." },
	{ .key = "capacity", .type = AVAIL_SAID_TERM, AT(said_top, capacity), .absent = "none",
	  .help = "The capacity that the service delivers." },
};

#define ROWS(list, of) .rows = list, .row_count = array_len(list), .size = sizeof(struct of)

const struct avail_section_rows avail_sections[AVAIL_SAID_SECTION_COUNT] = {
	[AVAIL_SAID_MODEL] = { "model", "a model", "the document itself",
			       "All that one file describes.", ROWS(model_rows, said_model) },
	[AVAIL_SAID_PARAMETER] = { "parameter", "a parameter", "parameters[]",
				   "A value with a name. Its dimension is that of what it is given.",
				   ROWS(parameter_rows, said_parameter) },
	[AVAIL_SAID_UNIT] = { "unit", "a unit", "units[]",
			      "A field-replaceable unit: a chassis, a power supply, a card, a piece of "
			      "software. Wherever it is named, it is down when its hardware or its "
			      "software is, or what it hangs on.",
			      ROWS(unit_rows, said_unit) },
	[AVAIL_SAID_EVENT] = { "event", "an event", "events[]", "Something that is true or false.",
			       ROWS(event_rows, said_event) },
	[AVAIL_SAID_HOUSE] = { "house event", "a house event", "house_events[]",
			       "A constant by which parts of a model are turned on and off.",
			       ROWS(house_rows, said_house) },
	[AVAIL_SAID_BLOCK] = { "block", "a block", "blocks[]",
			       "A part of a reliability block diagram. A thing may be in several.",
			       ROWS(block_rows, said_block) },
	[AVAIL_SAID_GATE] = { "gate", "a gate", "gates[]", "A gate of a fault tree.",
			      ROWS(gate_rows, said_gate) },
	[AVAIL_SAID_CCF] = { "common cause", "a common cause", "common_causes[]",
			     "Things of the same kind that can fail together, from a cause that no part of "
			     "the model shows.",
			     ROWS(ccf_rows, said_ccf) },
	[AVAIL_SAID_STANDBY] = { "standby group", "a standby group", "standby_groups[]",
				 "Members that stand in for each other: it is down when fewer than "
				 "`needed` of them work, or while it switches.",
				 ROWS(standby_rows, said_standby) },
	[AVAIL_SAID_CREW] = { "crew", "a crew", "crews[]", "Who repairs, in the order of failure.",
			      ROWS(crew_rows, said_crew) },
	[AVAIL_SAID_CAPACITY] = { "capacity", "a capacity", "capacities[]",
				  "What is delivered, in parts that fail.",
				  ROWS(capacity_rows, said_capacity) },
	[AVAIL_SAID_SHARES] = { "share", "a share", "capacities[].shares[]",
				"A part of a capacity.", ROWS(share_rows, said_share) },
	[AVAIL_SAID_TOP] = { "top", "a top", "tops[]", "A service whose figures are asked for.",
			     ROWS(top_rows, said_top) },
};

bool avail_name_is_good(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/");

	return length > 0 && length <= AVAIL_NAME_MAX && text[length] == 0 &&
	       !strchr("-_.:/", text[0]) && strcmp(text, "not") != 0;
}

bool avail_parameter_is_good(const char *text)
{
	return avail_name_is_good(text) && !strchr("0123456789", text[0]);
}

static void allow_words(const struct avail_row *row, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "one of ");

	for (unsigned i = 0; i < row->word_count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
					 row->words[i].word);
}

static const char *quantity_allows(const struct avail_row *row)
{
	static const char *const sentences[] = {
		[AVAIL_PLAIN] = "a number such as 0.01 or 1%, or a parameter",
		[AVAIL_TIME] = "a time with one of ms, s, min, h, d, y, or a parameter",
		[AVAIL_RATE] = "a rate such as 250 FIT or 1e-4/h, or a parameter",
	};

	if (row->type == AVAIL_SAID_ANY || row->type == AVAIL_SAID_QUANTITIES)
		return "a number, perhaps with one of %, ms, s, min, h, d, y, FIT, /s, /min, /h, /d, /y, "
		       "or a parameter";
	return sentences[row->dimension];
}

void avail_row_allows(const struct avail_row *row, char *text, size_t size)
{
	bool many = row->max > 1;

	switch (row->type) {
	case AVAIL_SAID_NAME:
	case AVAIL_SAID_TERM:
		snprintf(text, size,
			 "a name: 1 to %d letters, digits, '-', '_', '.', ':' or '/', the first a letter "
			 "or a digit", AVAIL_NAME_MAX);
		break;
	case AVAIL_SAID_TEXT:
		snprintf(text, size, "%u to %u printable ASCII characters", row->min, row->max);
		break;
	case AVAIL_SAID_NAMES:
		snprintf(text, size, "a name or a list of %u to %u names", row->min, row->max);
		break;
	case AVAIL_SAID_TERMS:
		snprintf(text, size, "a name or a list of %u to %u names, each perhaps with `not ` before it",
			 row->min, row->max);
		break;
	case AVAIL_SAID_COUNT:
		snprintf(text, size, "a whole number from %u to %u", row->min, row->max);
		break;
	case AVAIL_SAID_BOOL:
		snprintf(text, size, "true or false");
		break;
	case AVAIL_SAID_WORD:
		allow_words(row, text, size);
		break;
	case AVAIL_SAID_SHARE:
		snprintf(text, size, "a number from 0 to 1, or from 0%% to 100%%");
		break;
	case AVAIL_SAID_AMOUNT:
		snprintf(text, size, "a number, 0 or more");
		break;
	case AVAIL_SAID_HOURS:
		snprintf(text, size, "a time %swith one of ms, s, min, h, d, y",
			 row->min ? "above 0 " : "");
		break;
	case AVAIL_SAID_QUANTITY:
	case AVAIL_SAID_ANY:
		snprintf(text, size, "%s", quantity_allows(row));
		break;
	case AVAIL_SAID_QUANTITIES:
		snprintf(text, size, "a list of %u to %u, each %s", row->min, row->max,
			 quantity_allows(row));
		break;
	case AVAIL_SAID_SECTION:
		snprintf(text, size, "a list of %u to %u %s", row->min, row->max,
			 many ? "entries" : "entry");
		break;
	}
}
