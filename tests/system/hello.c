/* SPDX-License-Identifier: MIT */
/*
 * The smallest program: greets, tells its arguments, and ends with the status that the first of them names.
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argument_count, char **arguments)
{
    printf("Hello from Quire!\n");
    for (int index = 0; index < argument_count; index++)
        printf("argument %d: '%s'\n", index, arguments[index]);
    return argument_count > 1 ? atoi(arguments[1]) : 0;
}
