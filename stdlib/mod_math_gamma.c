/* math.gamma and math.lgamma: Lanczos' approximation with the rational form of thirteen terms (Pugh's thesis; the coefficients are
 * those that Boost publishes for 53 bits). The C library's functions are as good, but round differently from CPython's. */
#include "stdlib/math_impl.h"

static const double PI = 3.14159265358979323846, LOG_PI = 1.144729885849400174143427351353058711647, G = 6.024680040776729583740234375,
                    G_HALF = 5.524680040776729583740234375;
enum { TERMS = 13 };
static const double TOP[TERMS] = {
    23531376880.410759688572007674451636754734846804940, 42919803642.649098768957899047001988850926355848959,
    35711959237.355668049440185451547166705960488635843, 17921034426.037209699919755754458931112671403265390,
    6039542586.3520280050642916443072979210699388420708, 1439720407.3117216736632230727949123939715485786372,
    248874557.86205415651146038641322942321632125127801, 31426415.585400194380614231628318205362874684987640,
    2876370.6289353724412254090516208496135991145378768, 186056.26539522349504029498971604569928220784236328,
    8071.6720023658162106380029022722506138218516325024, 210.82427775157934587250973392071336271166969580291,
    2.5066282746310002701649081771338373386264310793408};
static const double BOTTOM[TERMS] = {0.0,       39916800.0, 120543840.0, 150917976.0, 105258076.0, 45995730.0, 13339535.0,
                                     2637558.0, 357423.0,   32670.0,     1925.0,      66.0,        1.0};

static double rational(double x)
{
    double top = 0.0, bottom = 0.0;
    if (x < 5.0) {
        for (int i = TERMS; i-- > 0;) {
            top = top * x + TOP[i];
            bottom = bottom * x + BOTTOM[i];
        }
    } else { /* in 1/x, so that nothing overflows */
        for (int i = 0; i < TERMS; i++) {
            top = top / x + TOP[i];
            bottom = bottom / x + BOTTOM[i];
        }
    }
    return top / bottom;
}

/* sin(pi * x), exact where it is 0 or 1. */
static double sin_pi(double x)
{
    double y = fmod(fabs(x), 2.0), r;
    switch ((int)round(2.0 * y)) {
    case 0: r = sin(PI * y); break;
    case 1: r = cos(PI * (y - 0.5)); break;
    case 2: r = sin(PI * (1.0 - y)); break;
    case 3: r = -cos(PI * (y - 1.5)); break;
    default: r = sin(PI * (y - 2.0)); break;
    }
    return copysign(1.0, x) * r;
}

double ou_gamma(double x)
{
    if (!isfinite(x)) return x > 0 || x != x ? x : (double)NAN;
    if (x == 0.0) return copysign((double)INFINITY, x);
    if (x == floor(x)) {
        if (x < 0.0) return (double)NAN;
        if (x <= 23) { /* factorials up to 22! are exact doubles */
            double r = 1.0;
            for (int i = 2; i < (int)x; i++) r *= i;
            return r;
        }
    }
    double a = fabs(x);
    if (a < 1e-20) return 1.0 / x;
    if (a > 200.0) return x < 0.0 ? 0.0 / sin_pi(x) : (double)INFINITY;
    double y = a + G_HALF, z; /* z: what the sum lost */
    if (a > G_HALF) {
        double q = y - a;
        z = q - G_HALF;
    } else {
        double q = y - G_HALF;
        z = q - a;
    }
    z = z * G / y;
    double r;
    if (x < 0.0) {
        r = -PI / sin_pi(a) / a * exp(y) / rational(a);
        r -= z * r;
        if (a < 140.0) {
            r /= pow(y, a - 0.5);
        } else {
            double root = pow(y, a / 2.0 - 0.25);
            r /= root;
            r /= root;
        }
    } else {
        r = rational(a) / exp(y);
        r += z * r;
        if (a < 140.0) {
            r *= pow(y, a - 0.5);
        } else {
            double root = pow(y, a / 2.0 - 0.25);
            r *= root;
            r *= root;
        }
    }
    return r;
}

double ou_lgamma(double x)
{
    if (!isfinite(x)) return x != x ? x : (double)INFINITY;
    if (x == floor(x) && x <= 2.0) return x <= 0.0 ? (double)INFINITY : 0.0;
    double a = fabs(x);
    if (a < 1e-20) return -log(a);
    double r = log(rational(a)) - G;
    r += (a - 0.5) * (log(a + G - 0.5) - 1);
    if (x < 0.0) r = LOG_PI - log(fabs(sin_pi(a))) - log(a) - r;
    return isinf(r) ? (double)INFINITY : r;
}
