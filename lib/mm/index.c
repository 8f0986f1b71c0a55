/* SPDX-License-Identifier: MIT */
/* The radix index: see mm/index.h. */
#include <errno.h>
#include <string.h>

#include <base/bits.h>
#include <mm/index.h>

/* The slot of `key` in a node of `level`. */
static unsigned place_of(uint64_t key, unsigned level)
{
    return (unsigned)(key >> (level * INDEX_SHIFT)) & (INDEX_SLOTS - 1);
}

/* The largest key that a tree whose root has `level` can hold. */
static uint64_t largest_key(unsigned level)
{
    unsigned bits = (level + 1) * INDEX_SHIFT;
    return bits >= 64 ? UINT64_MAX : (1UL << bits) - 1;
}

void index_init(struct radix_index *index, const struct index_source *source)
{
    index->root = NULL;
    index->count = 0;
    index->source = source;
}

/* The node of level 0 that would hold `key`, or NULL. */
static struct index_node *leaf_of(const struct radix_index *index, uint64_t key)
{
    struct index_node *node = index->root;
    if (!node || key > largest_key(node->level))
        return NULL;
    while (node && node->level > 0)
        node = node->slots[place_of(key, node->level)];
    return node;
}

void *index_find(const struct radix_index *index, uint64_t key)
{
    const struct index_node *leaf = leaf_of(index, key);
    return leaf ? leaf->slots[place_of(key, 0)] : NULL;
}

void index_read(const struct radix_index *index, uint64_t first, uint64_t count, void *entries[])
{
    while (count > 0) {
        const struct index_node *leaf = leaf_of(index, first);
        const unsigned place = place_of(first, 0);
        const uint64_t part = count < INDEX_SLOTS - place ? count : INDEX_SLOTS - place;
        if (leaf)
            memcpy(entries, &leaf->slots[place], part * sizeof(*entries));
        else
            memset(entries, 0, part * sizeof(*entries));
        entries += part;
        first += part;
        count -= part;
    }
}

/* --- Nodes -------------------------------------------------------------------------------------------------------- */

static struct index_node *node_get(struct radix_index *index, unsigned level)
{
    struct index_node *node = index->source->get(index->source->context);
    if (!node)
        return NULL;
    memset(node, 0, sizeof(*node));
    node->level = (uint8_t)level;
    return node;
}

static void node_put(struct radix_index *index, struct index_node *node)
{
    index->source->put(index->source->context, node);
}

static void hang(struct index_node *parent, unsigned place, struct index_node *child)
{
    parent->slots[place] = child;
    parent->used |= 1UL << place;
    child->parent = parent;
    child->place = (uint8_t)place;
}

/* Makes the tree one level higher, or gives it its first node. */
static int add_root(struct radix_index *index)
{
    struct index_node *old = index->root;
    struct index_node *node = node_get(index, old ? old->level + 1u : 0);
    if (!node)
        return -ENOMEM;
    if (old) {
        hang(node, 0, old);
        for (unsigned mark = 0; mark < INDEX_MARK_COUNT; mark++)
            node->marks[mark] = old->marks[mark] ? 1 : 0;
    }
    index->root = node;
    return 0;
}

/* Gives up roots whose only child holds the lowest keys. */
static void lower_root(struct radix_index *index)
{
    while (index->root && index->root->level > 0 && index->root->used == 1) {
        struct index_node *root = index->root;
        index->root = root->slots[0];
        index->root->parent = NULL;
        node_put(index, root);
    }
}

/* Gives up nodes without entries, from `node` up. */
static void prune(struct radix_index *index, struct index_node *node)
{
    while (node && node->used == 0) {
        struct index_node *parent = node->parent;
        if (parent) {
            parent->slots[node->place] = NULL;
            parent->used &= ~(1UL << node->place);
        } else {
            index->root = NULL;
        }
        node_put(index, node);
        node = parent;
    }
    lower_root(index);
}

/* Finds or makes the node of level 0 for `key`. NULL: no memory; what was made is given up again. */
static struct index_node *make_leaf(struct radix_index *index, uint64_t key)
{
    while (!index->root || key > largest_key(index->root->level)) {
        if (add_root(index)) {
            /* An empty first root is possible only alone, and then nothing was made. */
            lower_root(index);
            return NULL;
        }
        if (index->root->level == 0 && index->count == 0 && key > largest_key(0))
            index->root->level = (uint8_t)(highest_bit(key) / INDEX_SHIFT);
    }
    struct index_node *node = index->root;
    while (node->level > 0) {
        unsigned place = place_of(key, node->level);
        struct index_node *child = node->slots[place];
        if (!child) {
            child = node_get(index, node->level - 1u);
            if (!child) {
                prune(index, node);
                return NULL;
            }
            hang(node, place, child);
        }
        node = child;
    }
    return node;
}

/* --- Entries ------------------------------------------------------------------------------------------------------ */

int index_insert(struct radix_index *index, uint64_t key, void *entry)
{
    if (!entry)
        return -EINVAL;
    if (index_find(index, key))
        return -EEXIST;
    struct index_node *leaf = make_leaf(index, key);
    if (!leaf)
        return -ENOMEM;
    leaf->slots[place_of(key, 0)] = entry;
    leaf->used |= 1UL << place_of(key, 0);
    index->count++;
    CHECK_DEEP(index_check(index) == 0);
    return 0;
}

void *index_replace(struct radix_index *index, uint64_t key, void *entry)
{
    struct index_node *leaf = leaf_of(index, key);
    void *old = leaf ? leaf->slots[place_of(key, 0)] : NULL;
    if (old && entry)
        leaf->slots[place_of(key, 0)] = entry;
    return old;
}

/* Takes a mark from a slot, and from the slots above that lead to no other marked entry. */
static void clear_mark(struct index_node *node, unsigned place, enum index_mark mark)
{
    for (; node; node = node->parent) {
        node->marks[mark] &= ~(1UL << place);
        if (node->marks[mark])
            return;
        place = node->place;
    }
}

void *index_erase(struct radix_index *index, uint64_t key)
{
    struct index_node *leaf = leaf_of(index, key);
    unsigned place = place_of(key, 0);
    void *entry = leaf ? leaf->slots[place] : NULL;
    if (!entry)
        return NULL;
    for (unsigned mark = 0; mark < INDEX_MARK_COUNT; mark++) {
        if (leaf->marks[mark] & 1UL << place)
            clear_mark(leaf, place, (enum index_mark)mark);
    }
    leaf->slots[place] = NULL;
    leaf->used &= ~(1UL << place);
    index->count--;
    prune(index, leaf);
    CHECK_DEEP(index_check(index) == 0);
    return entry;
}

/* --- Walking ------------------------------------------------------------------------------------------------------ */

static uint64_t bits_of(const struct index_node *node, int mark)
{
    return mark < 0 ? node->used : node->marks[mark];
}

/* index_next() for entries with a mark, or all (mark -1): down to the key, and up again where nothing follows. */
static void *next_entry(const struct radix_index *index, int mark, uint64_t *key, uint64_t last)
{
    const struct index_node *node = index->root;
    uint64_t at = *key;

    if (!node || at > largest_key(node->level))
        return NULL;
    while (at <= last) {
        unsigned place = place_of(at, node->level);
        uint64_t bits = bits_of(node, mark) & ~0UL << place;
        if (!bits) {
            /* Nothing more in this node: on with the first key behind it. */
            uint64_t end = at | largest_key(node->level);
            if (!node->parent || end == UINT64_MAX)
                return NULL;
            at = end + 1;
            node = node->parent;
            if (at > largest_key(index->root->level))
                return NULL;
            while (node->parent && place_of(at, node->level) == 0)
                node = node->parent;
            continue;
        }
        unsigned found = lowest_bit(bits);
        if (found != place)
            at = (at & ~largest_key(node->level)) | (uint64_t)found << (node->level * INDEX_SHIFT);
        if (at > last)
            return NULL;
        if (node->level == 0) {
            *key = at;
            return node->slots[found];
        }
        node = node->slots[found];
    }
    return NULL;
}

void *index_next(const struct radix_index *index, uint64_t *key, uint64_t last)
{
    return next_entry(index, -1, key, last);
}

void *index_next_marked(const struct radix_index *index, enum index_mark mark, uint64_t *key, uint64_t last)
{
    return next_entry(index, (int)mark, key, last);
}

/* --- Marks -------------------------------------------------------------------------------------------------------- */

bool index_set_mark(struct radix_index *index, uint64_t key, enum index_mark mark)
{
    struct index_node *node = leaf_of(index, key);
    unsigned place = place_of(key, 0);
    if (!node || !node->slots[place])
        return false;
    for (; node && !(node->marks[mark] & 1UL << place); node = node->parent) {
        node->marks[mark] |= 1UL << place;
        place = node->place;
    }
    return true;
}

bool index_clear_mark(struct radix_index *index, uint64_t key, enum index_mark mark)
{
    struct index_node *node = leaf_of(index, key);
    unsigned place = place_of(key, 0);
    if (!node || !node->slots[place])
        return false;
    if (node->marks[mark] & 1UL << place)
        clear_mark(node, place, mark);
    return true;
}

bool index_has_mark(const struct radix_index *index, uint64_t key, enum index_mark mark)
{
    const struct index_node *node = leaf_of(index, key);
    return node && node->marks[mark] & 1UL << place_of(key, 0);
}

/* --- The walker --------------------------------------------------------------------------------------------------- */

static bool node_ok(const struct index_node *node, const struct index_node *parent, uint64_t *count)
{
    if (!node || node->used == 0 || node->parent != parent || (parent && node->level + 1u != parent->level))
        return false;
    for (unsigned place = 0; place < INDEX_SLOTS; place++) {
        uint64_t bit = 1UL << place;
        const void *slot = node->slots[place];
        if (!(node->used & bit) != !slot)
            return false;
        const struct index_node *child = node->level > 0 ? slot : NULL;
        if (child && (child->place != place || !node_ok(child, node, count)))
            return false;
        for (unsigned mark = 0; mark < INDEX_MARK_COUNT; mark++) {
            bool marked = node->marks[mark] & bit;
            if ((marked && !slot) || (child && marked != (child->marks[mark] != 0)))
                return false;
        }
        *count += node->level == 0 && slot;
    }
    return true;
}

int index_check(const struct radix_index *index)
{
    uint64_t count = 0;
    if (!index->root)
        return index->count ? -EIO : 0;
    if (index->root->level >= INDEX_LEVELS_MAX || !node_ok(index->root, NULL, &count) || count != index->count)
        return -EIO;
    return index->root->level > 0 && index->root->used == 1 ? -EIO : 0;
}
