#include "prog/midplane_words.h"

#include <stdio.h>
#include <string.h>

/* At least one and at most 'most' hexadecimal digits; text moves behind them. */
static bool hexadecimal(const char **text, unsigned most, uint64_t *value)
{
	unsigned digits = 0;

	for (*value = 0; digits < most; digits++, ++*text) {
		char c = **text;

		if (c >= '0' && c <= '9')
			*value = *value << 4 | (uint64_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			*value = *value << 4 | (uint64_t)((c | 32) - 'a' + 10);
		else
			break;
	}
	return digits > 0;
}

bool words_parse_source(const char *text, uint16_t *source)
{
	uint64_t bus, device, function;

	if (!hexadecimal(&text, 4, &bus) || *text++ != ':')
		return false;
	if (!hexadecimal(&text, 2, &device))
		return false;
	if (*text == ':') { /* that was a segment and a bus */
		bus = device;
		text++;
		if (!hexadecimal(&text, 2, &device))
			return false;
	}
	if (*text++ != '.' || !hexadecimal(&text, 1, &function) || *text)
		return false;
	*source = (uint16_t)(bus << 8 | device << 3 | function);
	return bus <= 0xff && device <= 0x1f && function <= 7;
}

void words_print_source(uint16_t source, char text[WORDS_SOURCE_MAX])
{
	snprintf(text, WORDS_SOURCE_MAX, "%02x:%02x.%x", source >> 8, source >> 3 & 0x1f,
		 source & 7);
}

bool words_parse_address(const char *text, uint64_t *address)
{
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	while (text[0] == '0' && text[1])
		text++;
	return hexadecimal(&text, 16, address) && !*text;
}

bool words_parse_access(const char *text, uint8_t *access)
{
	if (!text[0] || text[1])
		return false;
	*access = text[0] == 'r' ? IOMMU_READ : text[0] == 'w' ? IOMMU_WRITE : 0;
	return *access || text[0] == '-';
}

bool words_parse_pasid(const char *text, uint32_t *pasid)
{
	uint64_t value = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		if (!words_parse_address(text, &value))
			return false;
	} else {
		if (!*text || strlen(text) > 7)
			return false;
		for (; *text; text++) {
			if (*text < '0' || *text > '9')
				return false;
			value = value * 10 + (uint64_t)(*text - '0');
		}
	}
	*pasid = (uint32_t)value;
	return value < 1u << 20;
}

const char *words_rights(uint8_t rights)
{
	static const char *const words[] = { "-", "r", "w", "rw", "x", "rx", "wx", "rwx" };

	return words[rights & (IOMMU_READ | IOMMU_WRITE | IOMMU_EXECUTE)];
}

void words_print_size(unsigned shift, char text[16])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

	must(shift <= 64);
	if (shift == 64)
		snprintf(text, 16, "16 EiB");
	else
		snprintf(text, 16, "%u %s", 1u << shift % 10, units[shift / 10]);
}

/* Puts an end behind each of three fields with a tab between; false when there are not three. */
static bool split(char *line, const char *field[3], const char *names, struct refusal *why)
{
	for (unsigned i = 0; i < 3; i++) {
		field[i] = line;
		line = strchr(line, '\t');
		if ((line != NULL) != (i < 2)) {
			refuse(why, "", "not three fields (%s) with tabs between", names);
			return false;
		}
		if (line)
			*line++ = 0;
	}
	return true;
}

static bool refuse_word(struct refusal *why, const char *word, const char *wanted)
{
	refuse(why, "", "'%.60s' is not %s", word, wanted);
	return false;
}

bool words_parse_walk(char *line, struct iommu_request *request, struct refusal *why)
{
	const char *field[3];

	if (!split(line, field, "source, iova, access", why))
		return false;
	if (!words_parse_source(field[0], &request->source))
		return refuse_word(why, field[0], "a function: BB:DD.F");
	if (!words_parse_address(field[1], &request->address))
		return refuse_word(why, field[1], "an address: hexadecimal, at most 64 bits");
	if (!words_parse_access(field[2], &request->access))
		return refuse_word(why, field[2], "an access: r, w or -");
	return true;
}

bool words_parse_message(char *line, struct iommu_message *message, struct refusal *why)
{
	const char *field[3];
	uint64_t data;

	if (!split(line, field, "source, address, data", why))
		return false;
	if (!words_parse_source(field[0], &message->source))
		return refuse_word(why, field[0], "a function: BB:DD.F");
	if (!words_parse_address(field[1], &message->address))
		return refuse_word(why, field[1], "an address: hexadecimal, at most 64 bits");
	if (!words_parse_address(field[2], &data) || data > UINT32_MAX)
		return refuse_word(why, field[2],
				   "the data of a message: hexadecimal, at most 32 bits");
	message->data = (uint32_t)data;
	return true;
}
