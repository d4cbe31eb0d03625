/* store/site_number.h -- numbers as people write them in a site file.
 *
 * Threads: any.  Memory: none. */
#ifndef STORE_SITE_NUMBER_H
#define STORE_SITE_NUMBER_H

#include "base/base.h"

/* "42": decimal digits without a sign or leading zeros; false otherwise or past 64 bits. */
bool site_number_parse(const char *text, uint64_t *value);

/* "2.5Gbit", "100 Mbit", "64000": bits per second.  Prefixes k, M, G, T count in thousands and may be
 * in either case; "bit", "bit/s" and "bps" are the same.  False when it is nothing of the kind. */
bool site_rate_parse(const char *text, uint64_t *bits_per_s);

/* "1M", "250k", "1.5Mpps": packets per second. */
bool site_pps_parse(const char *text, uint64_t *packets_per_s);

/* "10GiB", "512 MiB", "500G", "1048576": bytes.  Ki, Mi, Gi and Ti count in 1024, k, M, G and T in thousands, a
 * "B" may follow.  False when it is nothing of the kind, no whole number of bytes, or beyond 64 bits. */
bool site_size_parse(const char *text, uint64_t *bytes);

/* "250000h", "4h", "30min", "50ms", "20y": hours.  Units are ms, s, min, h, d (24 h) and y (8760 h); one is
 * needed, but for 0.  False when it is nothing of the kind or over 1e12 h. */
bool site_hours_parse(const char *text, double *hours);

/* "0.95", "95%": a share from 0 to 1. */
bool site_share_parse(const char *text, double *share);

/* "true", "false", "yes", "no", "on", "off" in lower case. */
bool site_bool_parse(const char *text, bool *value);

#endif
