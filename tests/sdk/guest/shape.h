/* SPDX-License-Identifier: MIT */
/* One half of a program in two files; the other is shape.c. */
#ifndef GUEST_SHAPE_H
#define GUEST_SHAPE_H

/* The area of a circle. */
double shape_area(double radius);

#endif
