/* Rates are those of the last seconds, whatever was before. */
#include "ctl/rates.h"
#include "lib/test.h"

static void add(struct cfs_rates *rates, int64_t at_ms, uint64_t bytes)
{
    const uint64_t counters[CFS_RATE_COUNT] = {[CFS_RATE_SENT] = bytes};
    cfs_rates_add(rates, at_ms, counters);
}

static void a_rate_needs_two_samples(void **state)
{
    (void)state;
    struct cfs_rates rates = {.count = 0};
    assert_int_equal(cfs_rates_tell(&rates, CFS_RATE_SENT), 0);
    add(&rates, 1000, 500);
    assert_int_equal(cfs_rates_tell(&rates, CFS_RATE_SENT), 0);
    add(&rates, 1000, 700);
    assert_int_equal(cfs_rates_tell(&rates, CFS_RATE_SENT), 0);
    add(&rates, 3000, 1500);
    assert_int_equal(cfs_rates_tell(&rates, CFS_RATE_SENT), 500);
    assert_int_equal(cfs_rates_tell(&rates, CFS_RATE_READ), 0);
}

static void what_is_long_ago_is_forgotten(void **state)
{
    (void)state;
    struct cfs_rates rates = {.count = 0};
    for (unsigned i = 0; i < 20; i++)
        add(&rates, i * 1000, i * 1000000);
    for (unsigned i = 20; i < 20 + CFS_RATES_OVER; i++)
        add(&rates, i * 1000, 19000000 + (i - 19) * 10);
    assert_int_equal(cfs_rates_tell(&rates, CFS_RATE_SENT), 10);
    add(&rates, 100000, 5); /* a counter that began anew */
    assert_int_equal(cfs_rates_tell(&rates, CFS_RATE_SENT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_needs_two_samples),
        cmocka_unit_test(what_is_long_ago_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
