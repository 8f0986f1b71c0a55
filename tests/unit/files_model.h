/* SPDX-License-Identifier: MIT */
/*
 * A model of a file system: a flat list of paths, each with the thing that it names, and random steps that are taken both
 * there and in a file system. Every result must be the model's. When an allocation has failed a step may be refused, and
 * then nothing may have happened. One model a process.
 */
#ifndef UNIT_FILES_MODEL_H
#define UNIT_FILES_MODEL_H

#include "../../servers/fs/tree.h"

/* Takes an empty file system, or one that has what the model has: after it was mounted anew. */
void files_model_use(struct file_system *fs);

/* One random step. */
void files_model_step(void);

/* Closes what is open. */
void files_model_close(void);

/* All names, links, sizes and content must be the model's. */
void files_model_compare(void);

#endif
