/* SPDX-License-Identifier: MIT */
/* Uses a function of another file, the mathematics library, the heap and a constructor. */
#include "shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *greeting;

static void __attribute__((constructor)) prepare(void)
{
    greeting = "area";
}

int main(int argument_count, char **arguments)
{
    char *text = strdup(argument_count > 1 ? arguments[1] : "1");

    printf("%s %.6f\n", greeting, shape_area(atof(text)));
    free(text);
    return 0;
}
