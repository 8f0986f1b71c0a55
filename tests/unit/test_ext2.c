#include "harness.h"
static const struct test_row rows[] = {{"x","y",0}};
TEST_MAIN("ext2", rows)
