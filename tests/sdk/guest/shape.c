/* SPDX-License-Identifier: MIT */
/* See shape.h. */
#include "shape.h"

#include <math.h>

double shape_area(double radius)
{
    return M_PI * pow(radius, 2);
}
