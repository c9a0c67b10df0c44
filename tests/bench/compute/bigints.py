# Integers of 60 to some thousand bits: modular powers, greatest common divisors, digits of pi, Fibonacci numbers, text.
import math
import sys


def is_prime(n):
    d, r = n - 1, 0
    while d % 2 == 0:
        d //= 2
        r += 1
    for a in (2, 3, 5, 7, 11, 13, 17):
        x = pow(a, d, n)
        if x in (1, n - 1):
            continue
        for _ in range(r - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def pi_digits(n):
    q, r, t, k, m, x = 1, 0, 1, 1, 3, 3
    out = []
    while len(out) < n:
        if 4 * q + r - t < m * t:
            out.append(m)
            q, r, m = 10 * q, 10 * (r - m * t), (10 * (3 * q + r)) // t - 10 * m
        else:
            q, r, t, k, m, x = q * k, (2 * q + r) * x, t * x, k + 1, (q * (7 * k + 2) + r * x) // (t * x), x + 2
    return out


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    c = 0
    for start in (2 ** 61, 2 ** 63, 10 ** 30, 2 ** 256):
        for i in range(4 * n if start > 10 ** 20 else 40 * n):
            c += is_prime(start + 2 * i + 1)
    t = sum(pi_digits(60 * n))
    a, b = 0, 1
    for i in range(1500 * n):
        a, b = b, a + b
    t += a % 1000007
    p, v, h = 2 ** 255 - 19, 9, 5
    for i in range(5000 * n):
        v = (v * v + h) % p
        h = (h - v) % p
        t ^= (v >> (i % 200)) & 0xFFFF
    for i in range(100 * n):
        t += math.gcd(v * (i + 1) * 3 ** 50, h * 3 ** 80) % 101 + pow(i + 2, -1, p) % 7 + len(str(v ** 3)) + v // 10 % 10
    print(c, t, v)


main()
