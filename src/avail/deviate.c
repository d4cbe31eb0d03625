#include "avail/deviate.h"

#include <math.h>

static const double pi = 3.14159265358979323846, sqrt2 = 1.41421356237309504880;

double avail_deviate_uniform(uint64_t *seed)
{
	return ((double)(rand_u64(seed) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller; the second of the pair is not kept, so that a draw depends on its seed alone. */
double avail_deviate_normal(uint64_t *seed)
{
	double radius = sqrt(-2 * log(avail_deviate_uniform(seed)));

	return radius * cos(2 * pi * avail_deviate_uniform(seed));
}

/* The logarithm of a gamma deviate: for small shapes the deviate itself is often below what a
 * double holds, and a beta deviate needs the ratio of two.  Marsaglia and Tsang's method of
 * squeezing; a shape below 1 is reached from one more by a power of a uniform deviate. */
static double log_gamma_deviate(uint64_t *seed, double shape)
{
	double more = shape < 1 ? log(avail_deviate_uniform(seed)) / shape : 0;
	double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d);

	for (;;) {
		double x = avail_deviate_normal(seed), v = 1 + c * x;

		if (v <= 0)
			continue;
		v = v * v * v;
		if (log(avail_deviate_uniform(seed)) < 0.5 * x * x + d - d * v + d * log(v))
			return log(d * v) + more;
	}
}

double avail_deviate_gamma(uint64_t *seed, double shape)
{
	return exp(log_gamma_deviate(seed, shape));
}

double avail_deviate_beta(uint64_t *seed, double alpha, double beta)
{
	double a = log_gamma_deviate(seed, alpha), b = log_gamma_deviate(seed, beta);

	return 1 / (1 + exp(b - a));
}

/* Newton's method on the distribution function; the first guess is Hastings' (Abramowitz and
 * Stegun, 26.2.23), good to 4.5e-4. */
double avail_normal_quantile(double p)
{
	double tail = p < 0.5 ? p : 1 - p, t = sqrt(-2 * log(tail));
	double x = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
			       (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));

	for (unsigned i = 0; i < 4; i++) /* twice the digits each time */
		x += (0.5 * erfc(x / sqrt2) - tail) * sqrt(2 * pi) * exp(0.5 * x * x);
	return p < 0.5 ? -x : x;
}
