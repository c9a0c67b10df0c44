/* Intrusive doubly linked list with a head node; a node that is linked nowhere points to itself.
 * May be included by everybody. No ownership: the owner of the struct around the node decides. */
#ifndef OU_LIST_H
#define OU_LIST_H

#include <stdbool.h>

typedef struct Node {
    struct Node *next, *prev;
} Node;

static inline void list_init(Node *n) { n->next = n->prev = n; }
static inline bool list_empty(const Node *head) { return head->next == head; }
static inline void list_push_back(Node *head, Node *n)
{
    n->prev = head->prev;
    n->next = head;
    head->prev->next = n;
    head->prev = n;
}
static inline void list_push_front(Node *head, Node *n)
{
    n->next = head->next;
    n->prev = head;
    head->next->prev = n;
    head->next = n;
}
static inline void list_remove(Node *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

#endif
