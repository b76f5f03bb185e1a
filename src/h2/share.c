/* What each may take of the connection's window of a peer (RFC 9113 section 5.2).
 *
 * A peer may withhold the credit of the whole connection because somebody's streams are not read.
 * On a client's connection, which many may share, half of the window is therefore for those who
 * keep up: they hold little of it. It is half because a peer commonly returns credit when half of
 * its window is used: by those who keep up alone as well as by the others alone. Only a peer that
 * was never seen to return any before all is used lets the others use all, after a while.
 *
 * Streams return credit late, too, so who holds what is told from both: a share counts what was
 * sent, and what comes back is taken off those who hold little, then off what ended streams held,
 * then off the others, the last to have sent first: who waits sends nothing. */
#include "h2/core.h"

#include "base/mem.h"

#include <stdlib.h>

static struct h2_share *share_at(struct list *node)
{
    return container_of(node, struct h2_share, node);
}

/* ---- shares ---------------------------------------------------------------------------------- */

void h2_share_file(struct h2_session *session, struct h2_share *share)
{
    bool large = !h2_is_little(session, share->held_bytes);
    struct list *list = large ? &session->large_shares : &session->small_shares;
    if (list->prev != &share->node) {
        list_remove(&share->node);
        list_append(list, &share->node);
    }
}

static void take_off(struct h2_session *session, struct h2_share *share, size_t len)
{
    share->held_bytes -= len;
    if (share->held_bytes == 0) {
        list_remove(&share->node);
    } else if (h2_is_little(session, share->held_bytes)) {
        h2_share_file(session, share);
    }
}

/* So many of its bytes are nobody's from now on, or all. */
static void disown(struct h2_session *session, struct h2_share *share, size_t len)
{
    len = len < share->held_bytes ? len : share->held_bytes;
    session->nobodys_bytes += len;
    take_off(session, share, len);
}

/* The group takes over what the stream, which was alone, holds. */
static void enter(struct h2_stream *stream, struct h2_group *group)
{
    size_t held = stream->share.held_bytes;
    stream->group = group;
    group->stream_count++;
    group->unread_bytes += stream->unread_bytes;
    if (held > 0) {
        take_off(stream->session, &stream->share, held);
        group->share.held_bytes += held;
        h2_share_file(stream->session, &group->share);
    }
}

void h2_stream_join(struct h2_stream *stream, struct h2_stream *other)
{
    assert(stream != other && stream->session == other->session && stream->group == NULL);
    if (other->group == NULL) {
        struct h2_group *group = mem_new(struct h2_group);
        list_init(&group->share.node);
        enter(other, group);
    }
    enter(stream, other->group);
}

void h2_share_leave(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    struct h2_group *group = stream->group;
    if (group == NULL) {
        disown(session, &stream->share, SIZE_MAX);
        return;
    }
    assert(group->unread_bytes >= stream->unread_bytes && group->stream_count > 0);
    disown(session, &group->share, stream->unread_bytes);
    stream->group = NULL;
    group->unread_bytes -= stream->unread_bytes;
    group->stream_count--;
    if (group->stream_count == 0) {
        disown(session, &group->share, SIZE_MAX);
        free(group);
    }
}

/* ---- what is held ---------------------------------------------------------------------------- */

void h2_stream_give_back(struct h2_stream *stream, size_t len)
{
    len = len < stream->unread_bytes ? len : stream->unread_bytes;
    stream->unread_bytes -= (uint32_t)len;
    size_t answered = len < stream->answered_bytes ? len : stream->answered_bytes;
    stream->answered_bytes -= (uint32_t)answered;
    if (stream->group != NULL) {
        assert(stream->group->unread_bytes >= len);
        stream->group->unread_bytes -= len;
    }
}

/* Takes what came back off the shares of the list, from its end. Returns what is left of it. */
static size_t take_back(struct h2_session *session, struct list *shares, size_t len)
{
    while (len > 0 && !list_empty(shares)) {
        struct h2_share *share = share_at(shares->prev);
        size_t taken = len < share->held_bytes ? len : share->held_bytes;
        take_off(session, share, taken);
        len -= taken;
    }
    return len;
}

void h2_share_returned(struct h2_session *session, size_t len)
{
    size_t held = session->unread_bytes;
    session->credited_bytes += len;
    /* More than was held enlarges the window, and says nothing of when credit comes back. */
    if (len <= held && session->send_window > 0 && held <= h2_whole_window(session) / 2 + 1) {
        session->returns_early = true;
    }
    len = len < held ? len : held;
    size_t rest = take_back(session, &session->small_shares, len);
    size_t nobodys = rest < session->nobodys_bytes ? rest : session->nobodys_bytes;
    session->nobodys_bytes -= nobodys;
    take_back(session, &session->large_shares, rest - nobodys);
    session->unread_bytes -= (uint32_t)len;
}

/* ---- what may be taken ----------------------------------------------------------------------- */

static const struct h2_share *share_of(const struct h2_stream *stream)
{
    return stream->group != NULL ? &stream->group->share : &stream->share;
}

size_t h2_stream_held_bytes(const struct h2_stream *stream)
{
    const struct h2_group *group = stream->group;
    size_t unread = group != NULL ? group->unread_bytes : stream->unread_bytes;
    size_t held = share_of(stream)->held_bytes;
    return unread < held ? unread : held;
}

size_t h2_stream_behind_bytes(const struct h2_stream *stream)
{
    bool little = h2_is_little(stream->session, h2_stream_held_bytes(stream));
    return little ? 0 : share_of(stream)->held_bytes;
}

size_t h2_share_allowed_of_client(const struct h2_stream *stream)
{
    const struct h2_session *session = stream->session;
    size_t window = (size_t)session->send_window;
    if (session->reserve_open || h2_stream_behind_bytes(stream) == 0) {
        return window;
    }
    size_t reserve = h2_whole_window(session) / 2;
    return window > reserve ? window - reserve : 0;
}
