/* prog/midplane_words.h -- the words in which people write requests: functions, addresses, rights;
 * and the lines of the batch forms, three of them with a tab between.
 *
 * Threads: any.  Memory: none. */
#ifndef PROG_MIDPLANE_WORDS_H
#define PROG_MIDPLANE_WORDS_H

#include "base/refusal.h"
#include "iommu/request.h"

enum { WORDS_SOURCE_MAX = 8 }; /* "00:1f.7" and its end */

/* "00:02.0", also with a segment before it ("0000:00:02.0"), which names the unit and not the
 * function: bus and device hexadecimal, device at most 1f, function 0..7. */
bool words_parse_source(const char *text, uint16_t *source);
void words_print_source(uint16_t source, char text[WORDS_SOURCE_MAX]);

/* "0x12f000" or "12f000": hexadecimal, 64 bits. */
bool words_parse_address(const char *text, uint64_t *address);

/* "r", "w", "-": what must be allowed; "-" asks for any one right (0). */
bool words_parse_access(const char *text, uint8_t *access);

/* "5" or "0x5": 20 bits. */
bool words_parse_pasid(const char *text, uint32_t *pasid);

/* "rw", "r", "rwx", ..., "-" for none. */
const char *words_rights(uint8_t rights);

/* "4 KiB", "2 MiB", "512 GiB", ...: 2^shift bytes. */
void words_print_size(unsigned shift, char text[16]);

/* A line of `iommu walk --batch`: source, address, access.  Only these three members of the request
 * are set.  False, with the reason in 'why', when it is none.  'line' is taken to pieces. */
bool words_parse_walk(char *line, struct iommu_request *request, struct refusal *why);

/* A line of `iommu remap --batch`: source, address, data. */
bool words_parse_message(char *line, struct iommu_message *message, struct refusal *why);

#endif
