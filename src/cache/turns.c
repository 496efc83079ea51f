/* The order of calls on one file. Turns are granted in the order in which they arrive; one that cannot go yet holds
 * back those behind it. So the contract's order is kept although a write completes long before the server has it, and
 * although fetches and write-backs go by several handles. */
#include "cache/contents_priv.h"

bool cfs_content_is_at_rest(const struct cfs_content *content)
{
    return content->extents.count == 0 && cfs_list_empty(&content->sent) && cfs_list_empty(&content->readers) &&
           content->fetches == 0;
}

/* A read that was asked for earlier must not see this write, nor that it made the file longer. */
static bool is_being_read(const struct cfs_content *content, const struct cfs_turn *write)
{
    uint64_t end = write->offset + write->length;
    struct cfs_list *link;
    cfs_list_each (link, &content->readers) {
        const struct cfs_turn *read = cfs_container_of(link, const struct cfs_turn, link);
        uint64_t read_end = read->offset + read->length;
        if ((read->offset < end && write->offset < read_end) || (read_end > content->size && end > content->size))
            return true;
    }
    return false;
}

static bool may_go(const struct cfs_turn *turn)
{
    struct cfs_content *content = turn->content;
    if (content->barrier || (content->must_learn && turn->kind != CFS_TURN_DRAIN))
        return false;
    if (turn->kind == CFS_TURN_WRITE)
        return !is_being_read(content, turn) && cfs_writer_has_room(content->contents, turn->length);
    return turn->kind != CFS_TURN_BARRIER || cfs_content_is_at_rest(content);
}

static void go(struct cfs_turn *turn)
{
    struct cfs_content *content = turn->content;
    turn->waiting = false;
    if (turn->kind == CFS_TURN_READ)
        cfs_list_push_back(&content->readers, &turn->link);
    if (turn->kind == CFS_TURN_BARRIER)
        content->barrier = true;
    if (turn->kind == CFS_TURN_DRAIN)
        turn->number = content->written;
    turn->granted(turn);
}

/* What the first in the queue waits for must happen. */
static void press(struct cfs_content *content)
{
    const struct cfs_turn *first = cfs_list_first(&content->turns, struct cfs_turn, link);
    struct cfs_contents *contents = content->contents;
    if (!first)
        return;
    if (first->kind == CFS_TURN_BARRIER)
        content->drain_to = content->written;
    if (first->kind == CFS_TURN_WRITE && !cfs_writer_has_room(contents, first->length)) {
        if (cfs_list_empty(&content->of_starving))
            cfs_list_push_back(&contents->starving, &content->of_starving);
        cfs_writer_kick_all(contents);
    } else {
        cfs_writer_kick(content);
    }
}

void cfs_turns_pump(struct cfs_content *content)
{
    struct cfs_turn *first;
    cfs_content_get(content);
    if (content->must_learn && !content->barrier && cfs_content_is_at_rest(content))
        cfs_writer_learn(content);
    while ((first = cfs_list_first(&content->turns, struct cfs_turn, link)) && may_go(first)) {
        cfs_list_remove(&first->link);
        go(first);
    }
    press(content);
    cfs_content_put(content);
}

void cfs_content_turn_take(struct cfs_turn *turn)
{
    struct cfs_content *content = turn->content;
    cfs_list_init(&turn->link);
    if (cfs_list_empty(&content->turns) && may_go(turn)) {
        go(turn);
        return;
    }
    turn->waiting = true;
    cfs_list_push_back(&content->turns, &turn->link);
    press(content);
}

void cfs_turn_force(struct cfs_turn *turn)
{
    cfs_list_init(&turn->link);
    go(turn);
}

void cfs_turn_end(struct cfs_turn *turn)
{
    struct cfs_content *content = turn->content;
    cfs_list_remove(&turn->link);
    if (turn->kind == CFS_TURN_BARRIER)
        content->barrier = false;
    cfs_turns_pump(content);
}

bool cfs_turn_withdraw(struct cfs_turn *turn)
{
    if (!turn->waiting && !turn->draining)
        return false;
    cfs_list_remove(&turn->link);
    turn->waiting = turn->draining = false;
    cfs_turns_pump(turn->content);
    return true;
}

void cfs_turns_feed_starving(struct cfs_contents *contents)
{
    struct cfs_list waiting;
    struct cfs_list *link;
    cfs_list_init(&waiting);
    cfs_list_splice(&waiting, &contents->starving);
    /* In the order in which they came; who still finds no room is in the list again. */
    while ((link = cfs_list_pop_front(&waiting)))
        cfs_turns_pump(cfs_container_of(link, struct cfs_content, of_starving));
}
