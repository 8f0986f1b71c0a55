/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: the timer's and the IPIs are the scheduler's; a line that an IRQ object owns is masked and signalled to
 * its notification until the driver acknowledges it; any other is masked for good.
 */
#include <errno.h>

#include "kernel.h"

#define IRQ_LINES 1024u
static struct irq *owners[IRQ_LINES];

long irq_claim(struct irq *irq, uint64_t number)
{
    if (number >= IRQ_LINES || !irq_valid((uint32_t)number))
        return -EINVAL;
    if (owners[number])
        return -EBUSY;
    owners[number] = irq;
    irq->number = (uint32_t)number;
    return 0;
}

void irq_release(struct irq *irq)
{
    irq_mask(irq->number);
    owners[irq->number] = NULL;
    cap_clear(&irq->target);
}

static void forward(uint32_t number)
{
    struct irq *irq = number < IRQ_LINES ? owners[number] : NULL;
    irq_mask(number);
    if (irq && cap_type(&irq->target) == CAP_NOTIFICATION)
        notification_signal((struct notification *)cap_object(&irq->target), irq->bits);
}

struct thread *irq_handle(struct thread *current)
{
    uint32_t number = irq_take();
    struct thread *next;

    if (number == IRQ_SPURIOUS)
        return current ? current : sched_next(NULL);
    if (irq_is_timer(number)) {
        next = sched_tick(current);
    } else if (irq_is_ipi(number)) {
        next = sched_ipi(current);
    } else {
        forward(number);
        next = current ? sched_resume(current) : sched_next(NULL);
    }
    irq_end(number);
    return next;
}

static struct irq *irq_argument(const struct thread *caller, uint32_t rights, long *error)
{
    return (struct irq *)cap_find(caller->table, context_argument(&caller->context, 0), CAP_IRQ, rights, error);
}

long irq_bind(struct thread *caller)
{
    long error = 0;
    struct irq *irq = irq_argument(caller, RIGHT_CONTROL, &error);
    if (error)
        return error;
    struct object *notification =
        cap_find(caller->table, context_argument(&caller->context, 1), CAP_NOTIFICATION, RIGHT_SEND, &error);
    if (error)
        return error;
    cap_clear(&irq->target);
    cap_set(&irq->target, notification, RIGHT_SEND, 0);
    irq->bits = context_argument(&caller->context, 2);
    irq_unmask(irq->number, this_cpu()->index);
    return 0;
}

long irq_acknowledge(struct thread *caller)
{
    long error = 0;
    struct irq *irq = irq_argument(caller, RIGHT_SEND, &error);
    if (error)
        return error;
    irq_unmask(irq->number, this_cpu()->index);
    return 0;
}

long irq_tell_message(struct thread *caller)
{
    long error = 0;
    const struct irq *irq = irq_argument(caller, RIGHT_CONTROL, &error);
    uint64_t address = 0;
    uint32_t data = 0;

    if (!error)
        error = irq_message(irq->number, &address, &data);
    context_set_second(&caller->context, error ? 0 : address);
    return error ? error : (long)data;
}
