/* SPDX-License-Identifier: MIT */
/* The shape of the area tree: an AVL tree whose nodes also carry the largest gap of their subtree. */
#include "vma_internal.h"

static uint32_t height_of(const struct vma *vma)
{
    return vma ? vma->height : 0;
}

static uint64_t largest_gap_of(const struct vma *vma)
{
    return vma ? vma->largest_gap : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Computes what a node says of its subtree; true if that changed. */
static inline bool refresh(struct vma *vma)
{
    uint32_t height = 1 + (uint32_t)larger(height_of(vma->left), height_of(vma->right));
    uint64_t gap = larger(vma->gap, larger(largest_gap_of(vma->left), largest_gap_of(vma->right)));
    if (height == vma->height && gap == vma->largest_gap)
        return false;
    vma->height = height;
    vma->largest_gap = gap;
    return true;
}

/* Makes `parent` (NULL: the tree) point to `new_child` where it pointed to `old_child`. */
static void replace_child(struct vma_tree *tree, struct vma *parent, struct vma *old_child, struct vma *new_child)
{
    if (!parent)
        tree->root = new_child;
    else if (parent->left == old_child)
        parent->left = new_child;
    else
        parent->right = new_child;
    if (new_child)
        new_child->parent = parent;
}

static struct vma *rotate_left(struct vma_tree *tree, struct vma *vma)
{
    struct vma *up = vma->right;
    replace_child(tree, vma->parent, vma, up);
    vma->right = up->left;
    if (vma->right)
        vma->right->parent = vma;
    up->left = vma;
    vma->parent = up;
    refresh(vma);
    refresh(up);
    return up;
}

static struct vma *rotate_right(struct vma_tree *tree, struct vma *vma)
{
    struct vma *up = vma->left;
    replace_child(tree, vma->parent, vma, up);
    vma->left = up->right;
    if (vma->left)
        vma->left->parent = vma;
    up->right = vma;
    vma->parent = up;
    refresh(vma);
    refresh(up);
    return up;
}

/* Balances one node whose subtrees are balanced; returns the root of the subtree. */
static struct vma *balance(struct vma_tree *tree, struct vma *vma)
{
    uint32_t left = height_of(vma->left), right = height_of(vma->right);
    if (left > right + 1) {
        if (height_of(vma->left->left) < height_of(vma->left->right))
            rotate_left(tree, vma->left);
        return rotate_right(tree, vma);
    }
    if (right > left + 1) {
        if (height_of(vma->right->right) < height_of(vma->right->left))
            rotate_right(tree, vma->right);
        return rotate_left(tree, vma);
    }
    return vma;
}

/*
 * Refreshes and balances from `vma` up. A node that stays as it was ends the climb, for nothing above it can change;
 * but not before `beyond`, which took another node's place or got another gap, is done (NULL: no such node).
 */
static void repair(struct vma_tree *tree, struct vma *vma, const struct vma *beyond)
{
    while (vma) {
        uint32_t height = vma->height;
        uint64_t gap = vma->largest_gap;
        bool reached = vma == beyond;
        refresh(vma);
        vma = balance(tree, vma);
        if (reached)
            beyond = NULL;
        else if (!beyond && vma->height == height && vma->largest_gap == gap)
            return;
        vma = vma->parent;
    }
}

void vma_tree_attach(struct vma_tree *tree, struct vma *vma, struct vma *previous, struct vma *next)
{
    /* Of two neighbours one is in the other's subtree, and has no child on the side of the other. */
    struct vma *parent = next && !next->left ? next : previous;
    struct vma **slot = &tree->root;

    if (parent)
        slot = parent == next ? &parent->left : &parent->right;
    ASSERT(!*slot);
    vma->parent = parent;
    vma->left = NULL;
    vma->right = NULL;
    vma->height = 1;
    vma->largest_gap = vma->gap;
    *slot = vma;
    repair(tree, parent, next);
}

void vma_tree_detach(struct vma_tree *tree, struct vma *vma, struct vma *next)
{
    if (!vma->left || !vma->right) {
        struct vma *parent = vma->parent;
        struct vma *child = vma->left ? vma->left : vma->right;
        replace_child(tree, parent, vma, child);
        /* An only child has no children: a right one is the next area itself, which is else further up. */
        repair(tree, child && child == next ? child : parent, next);
        return;
    }
    struct vma *successor = next;
    ASSERT(successor);
    struct vma *lowest_changed = successor->parent == vma ? successor : successor->parent;
    if (successor != vma->right) {
        replace_child(tree, successor->parent, successor, successor->right);
        successor->right = vma->right;
        successor->right->parent = successor;
    }
    successor->left = vma->left;
    successor->left->parent = successor;
    replace_child(tree, vma->parent, vma, successor);
    repair(tree, lowest_changed, successor);
}

void vma_tree_propagate(struct vma_tree *tree, struct vma *vma)
{
    (void)tree;
    while (vma && refresh(vma))
        vma = vma->parent;
}
