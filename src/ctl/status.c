/* Collects what the pool and the file system count, and renders it. */
#include "ctl/status.h"
#include "base/text.h"
#include "ctl/json.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

enum { MOUNTPOINT_SHOWN = 300, STATE_SIZE = 400 };

struct facts {
    struct cfs_pool_status pool;
    struct cfs_fs_status fs;
    struct cfs_cache_status cache;
    size_t waiting;
    int64_t oldest_ms;
    struct cfs_ctl_request requests[CFS_CTL_REQUESTS];
    size_t request_count;
    uint64_t rates[CFS_RATE_COUNT];
    int64_t up_ms;
};

static void collect(const struct cfs_ctl_source *source, struct facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    cfs_pool_status(source->remote, &facts->pool);
    if (source->fs)
        cfs_fs_status(source->fs, &facts->fs);
    if (source->cache)
        cfs_cache_status(source->cache, &facts->cache);
    if (source->waiting)
        facts->waiting = source->waiting(source->context, &facts->oldest_ms);
    if (source->oldest)
        facts->request_count = source->oldest(source->context, facts->requests, CFS_COUNT(facts->requests));
    for (int i = 0; source->rates && i < CFS_RATE_COUNT; i++)
        facts->rates[i] = cfs_rates_tell(source->rates, (enum cfs_rate)i);
    facts->up_ms = cfs_clock_ms(&cfs_system_clock) - source->since_ms;
}

static void line(struct cfs_buffer *out, const char *label, const char *format, ...) CFS_PRINTF(3, 4);

static void line(struct cfs_buffer *out, const char *label, const char *format, ...)
{
    char text[1280];
    int start = snprintf(text, sizeof(text), "  %-14s", label);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + start, sizeof(text) - (size_t)start, format, arguments);
    va_end(arguments);
    cfs_text_make_printable(text, false);
    cfs_buffer_add(out, text, strlen(text));
    cfs_buffer_add_u8(out, '\n');
}

/* A path may hold anything, also an empty line, with which an answer ends. */
static void title(struct cfs_buffer *out, const char *mountpoint)
{
    char *text CFS_AUTO_FREE = strdup(mountpoint);
    if (!text) {
        out->failed = true;
        return;
    }
    cfs_text_make_printable(text, false);
    cfs_buffer_add(out, text, strlen(text));
    cfs_buffer_add_u8(out, '\n');
}

void cfs_ctl_measure(const struct cfs_ctl_source *source, struct cfs_rates *rates)
{
    struct cfs_pool_status pool = {.connected = false};
    struct cfs_fs_status fs = {.nodes = 0};
    if (source->remote)
        cfs_pool_status(source->remote, &pool);
    if (source->fs)
        cfs_fs_status(source->fs, &fs);
    const uint64_t counters[CFS_RATE_COUNT] = {fs.bytes_read, fs.bytes_written, pool.bytes_received, pool.bytes_sent};
    cfs_rates_add(rates, cfs_clock_ms(&cfs_system_clock), counters);
}

/* In a word, for programs. */
static const char *state_of(const struct cfs_ctl_source *source, const struct cfs_pool_status *pool)
{
    if (pool->state == CFS_POOL_CLOSED)
        return "lost";
    bool is_ending = pool->state == CFS_POOL_CONNECTED && !source->fs;
    return is_ending ? "unmounting" : cfs_pool_state_name(pool->state);
}

/* In words: what it is, since when, and what can be done. */
static const char *state_text(const struct cfs_ctl_source *source, const struct cfs_pool_status *pool, char *text,
                              size_t size)
{
    long long since = pool->state_ms / 1000;
    switch (pool->state) {
    case CFS_POOL_CONNECTED:
        return source->fs ? "connected" : "unmounted; what is left is being written";
    case CFS_POOL_RECONNECTING:
        snprintf(text, size, "reconnecting for %lld s, %u attempts; programs wait", since, pool->attempts);
        return text;
    case CFS_POOL_NEEDS_LOGIN:
        snprintf(text, size, "the server refuses the login; log in with: clusterfs login %.*s", MOUNTPOINT_SHOWN,
                 source->mountpoint);
        return text;
    case CFS_POOL_REFUSED:
        snprintf(text, size, "the server shows another host key; to try again: clusterfs login %.*s", MOUNTPOINT_SHOWN,
                 source->mountpoint);
        return text;
    case CFS_POOL_OFFLINE:
        snprintf(text, size, "offline for %lld s, reconnecting, %u attempts; programs get errors", since,
                 pool->attempts);
        return text;
    case CFS_POOL_CLOSED:
        break;
    }
    return "the connection is lost";
}

/* The path of what a request is about; the caller frees. */
static char *path_of(const struct cfs_ctl_source *source, const struct cfs_ctl_request *request)
{
    char *path = source->fs && request->node ? cfs_fs_path(source->fs, request->node) : NULL;
    return path ? path : strdup("?");
}

static void request_lines(const struct cfs_ctl_source *source, const struct facts *facts, struct cfs_buffer *out)
{
    for (size_t i = 0; i < facts->request_count; i++) {
        const struct cfs_ctl_request *request = &facts->requests[i];
        char *path CFS_AUTO_FREE = path_of(source, request);
        line(out, i == 0 ? "waiting" : "", "%s /%s, for %" PRId64 ".%" PRId64 " s", request->operation,
             path ? path : "", request->age_ms / 1000, request->age_ms % 1000 / 100);
    }
}

static const char *rate_text(uint64_t rate, char *text, size_t size)
{
    return rate > 0 ? cfs_text_format_size(rate, text, size) : "0 B";
}

static bool reads_offline(const struct cfs_ctl_source *source, const struct cfs_pool_status *pool)
{
    return source->cache && source->profile->offline == CFS_OFFLINE_READ && pool->state != CFS_POOL_CONNECTED;
}

static const char *transport_name(const struct cfs_profile *profile)
{
    return profile->transport == CFS_TRANSPORT_OPENSSH ? "openssh" : "libssh2";
}

void cfs_ctl_status_text(const struct cfs_ctl_source *source, struct cfs_buffer *out)
{
    struct facts facts;
    char first[16], second[16], third[16], fourth[16], state[STATE_SIZE];
    collect(source, &facts);
    const struct cfs_pool_status *pool = &facts.pool;
    const struct cfs_profile *profile = source->profile;

    title(out, source->mountpoint);
    line(out, "source", "%s", profile->source);
    line(out, "state", "%s", state_text(source, pool, state, sizeof(state)));
    if (reads_offline(source, pool))
        line(out, "offline", "programs read from the cache what is kept there");
    line(out, "server", "%s@%s (%s) %s", profile->user, profile->host, pool->ssh.address, pool->ssh.server_banner);
    line(out, "transport", "%s", transport_name(profile));
    line(out, "login", "%s", pool->ssh.login_method);
    line(out, "host key", "%s %s", pool->ssh.host_key_type, pool->ssh.host_key_fingerprint);
    line(out, "cipher", "%s", pool->ssh.cipher);
    line(out, "lanes", "%u on %u connection%s", pool->lanes, pool->sessions, pool->sessions == 1 ? "" : "s");
    if (pool->round_trip_ms >= 0)
        line(out, "round trip", "%" PRId64 " ms", pool->round_trip_ms);
    line(out, "in flight", "%zu requests of programs (oldest %" PRId64 " ms), %zu of SFTP", facts.waiting,
         facts.oldest_ms, pool->in_flight);
    line(out, "open files", "%" PRIu64, facts.fs.open_files);
    line(out, "programs", "%s read, %s written", cfs_text_format_size(facts.fs.bytes_read, first, sizeof(first)),
         cfs_text_format_size(facts.fs.bytes_written, second, sizeof(second)));
    if (source->cache)
        line(out, "cache", "%s kept, %s to be written, %" PRIu64 " changes",
             cfs_text_format_size(facts.cache.clean_bytes, first, sizeof(first)),
             cfs_text_format_size(facts.cache.dirty_bytes, second, sizeof(second)), facts.cache.changes);
    if (facts.cache.misses_journal)
        line(out, "journal", "none can be kept; close waits for the server");
    else if (facts.cache.has_journal)
        line(out, "journal", "%" PRIu64 " changes, %s on this disk", facts.cache.journal_changes,
             cfs_text_format_size(facts.cache.journal_bytes, first, sizeof(first)));
    line(out, "network", "%" PRIu64 " requests, %s received, %s sent", pool->requests,
         cfs_text_format_size(pool->bytes_received, first, sizeof(first)),
         cfs_text_format_size(pool->bytes_sent, second, sizeof(second)));
    if (source->rates)
        line(out, "rates", "%s/s read, %s/s written; %s/s received, %s/s sent",
             rate_text(facts.rates[CFS_RATE_READ], first, sizeof(first)),
             rate_text(facts.rates[CFS_RATE_WRITTEN], second, sizeof(second)),
             rate_text(facts.rates[CFS_RATE_RECEIVED], third, sizeof(third)),
             rate_text(facts.rates[CFS_RATE_SENT], fourth, sizeof(fourth)));
    line(out, "up", "%" PRId64 " s, process %ld", facts.up_ms / 1000, (long)getpid());
    if (pool->last_error[0])
        line(out, "last error", "%s", pool->last_error);
    request_lines(source, &facts, out);
}

void cfs_ctl_progress(const struct cfs_ctl_source *source, struct cfs_buffer *out)
{
    struct cfs_cache_status cache = {.calls = 0};
    char text[64];
    if (source->cache)
        cfs_cache_status(source->cache, &cache);
    snprintf(text, sizeof(text), "left %" PRIu64 " %" PRIu64 " %s\n", cache.dirty_bytes, cache.changes,
             source->fs ? "serving" : "ending");
    cfs_buffer_add(out, text, strlen(text));
}

static void json_server(struct cfs_json *json, const struct cfs_pool_status *pool)
{
    cfs_json_open_object(json, "server");
    cfs_json_text(json, "address", pool->ssh.address);
    cfs_json_text(json, "banner", pool->ssh.server_banner);
    cfs_json_text(json, "cipher", pool->ssh.cipher);
    cfs_json_text(json, "mac", pool->ssh.mac);
    cfs_json_text(json, "kex", pool->ssh.kex);
    cfs_json_text(json, "host_key_type", pool->ssh.host_key_type);
    cfs_json_text(json, "host_key_fingerprint", pool->ssh.host_key_fingerprint);
    cfs_json_text(json, "login_method", pool->ssh.login_method);
    cfs_json_open_array(json, "extensions");
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        const char *name = pool->extensions & bit ? cfs_pool_extension_name(bit) : NULL;
        if (name)
            cfs_json_text(json, NULL, name);
    }
    cfs_json_close_array(json);
    cfs_json_close_object(json);
}

static void json_cache(struct cfs_json *json, const struct cfs_cache_status *cache)
{
    cfs_json_open_object(json, "cache");
    cfs_json_number(json, "names", cache->names);
    cfs_json_number(json, "name_hits", cache->name_hits);
    cfs_json_number(json, "name_misses", cache->name_misses);
    cfs_json_number(json, "clean_bytes", cache->clean_bytes);
    cfs_json_number(json, "dirty_bytes", cache->dirty_bytes);
    cfs_json_number(json, "dirty_changes", cache->changes);
    cfs_json_number(json, "read_hits", cache->read_hits);
    cfs_json_number(json, "read_misses", cache->read_misses);
    cfs_json_number(json, "prefetched_bytes", cache->prefetched_bytes);
    cfs_json_number(json, "prefetch_wasted_bytes", cache->prefetch_wasted_bytes);
    cfs_json_number(json, "prefetched_files", cache->prefetched_files);
    cfs_json_number(json, "prefetch_used_files", cache->prefetch_used_files);
    cfs_json_number(json, "prefetch_wasted_files", cache->prefetch_wasted_files);
    cfs_json_close_object(json);
}

/* null where none is wanted. */
static void json_journal(struct cfs_json *json, const struct cfs_cache_status *cache)
{
    if (!cache->has_journal && !cache->misses_journal) {
        cfs_json_text(json, "journal", NULL);
        return;
    }
    cfs_json_open_object(json, "journal");
    cfs_json_bool(json, "is_kept", cache->has_journal);
    cfs_json_number(json, "changes", cache->journal_changes);
    cfs_json_number(json, "bytes", cache->journal_bytes);
    cfs_json_close_object(json);
}

static void json_counters(struct cfs_json *json, const struct facts *facts)
{
    cfs_json_open_object(json, "counters");
    cfs_json_number(json, "sftp_requests", facts->pool.requests);
    cfs_json_number(json, "heartbeats", facts->pool.heartbeats);
    cfs_json_number(json, "bytes_received", facts->pool.bytes_received);
    cfs_json_number(json, "bytes_sent", facts->pool.bytes_sent);
    cfs_json_number(json, "operations", facts->fs.requests);
    cfs_json_number(json, "operations_failed", facts->fs.errors);
    cfs_json_number(json, "bytes_read", facts->fs.bytes_read);
    cfs_json_number(json, "bytes_written", facts->fs.bytes_written);
    cfs_json_number(json, "nodes", facts->fs.nodes);
    cfs_json_number(json, "open_files", facts->fs.open_files);
    cfs_json_close_object(json);
}

void cfs_ctl_status_line(const struct cfs_ctl_source *source, struct cfs_buffer *out)
{
    struct facts facts;
    char read[16], written[16], dirty[16], state[STATE_SIZE], text[STATE_SIZE + 384];
    collect(source, &facts);
    title(out, source->mountpoint);
    if (out->failed)
        return;
    out->length--; /* the newline */
    snprintf(text, sizeof(text),
             ": %s, %s/s read, %s/s written, %s to be written, %zu waiting (oldest %" PRId64 ".%" PRId64 " s)\n",
             state_text(source, &facts.pool, state, sizeof(state)),
             rate_text(facts.rates[CFS_RATE_READ], read, sizeof(read)),
             rate_text(facts.rates[CFS_RATE_WRITTEN], written, sizeof(written)),
             cfs_text_format_size(facts.cache.dirty_bytes, dirty, sizeof(dirty)), facts.waiting, facts.oldest_ms / 1000,
             facts.oldest_ms % 1000 / 100);
    cfs_buffer_add(out, text, strlen(text));
}

static void json_requests(struct cfs_json *json, const struct cfs_ctl_source *source, const struct facts *facts)
{
    cfs_json_open_array(json, "requests");
    for (size_t i = 0; i < facts->request_count; i++) {
        const struct cfs_ctl_request *request = &facts->requests[i];
        char *path CFS_AUTO_FREE = path_of(source, request);
        cfs_json_open_object(json, NULL);
        cfs_json_text(json, "operation", request->operation);
        cfs_json_text(json, "path", path);
        cfs_json_number(json, "age_ms", (uint64_t)request->age_ms);
        cfs_json_close_object(json);
    }
    cfs_json_close_array(json);
}

static void json_rates(struct cfs_json *json, const struct facts *facts)
{
    cfs_json_open_object(json, "bytes_per_second");
    cfs_json_number(json, "read", facts->rates[CFS_RATE_READ]);
    cfs_json_number(json, "written", facts->rates[CFS_RATE_WRITTEN]);
    cfs_json_number(json, "received", facts->rates[CFS_RATE_RECEIVED]);
    cfs_json_number(json, "sent", facts->rates[CFS_RATE_SENT]);
    cfs_json_close_object(json);
}

void cfs_ctl_status_json(const struct cfs_ctl_source *source, struct cfs_buffer *out)
{
    struct facts facts;
    collect(source, &facts);
    struct cfs_json json = cfs_json_over(out);
    cfs_json_open_object(&json, NULL);
    cfs_json_text(&json, "mountpoint", source->mountpoint);
    cfs_json_text(&json, "profile", source->profile->name);
    cfs_json_text(&json, "source", source->profile->source);
    cfs_json_text(&json, "host", source->profile->host);
    cfs_json_text(&json, "user", source->profile->user);
    cfs_json_text(&json, "transport", transport_name(source->profile));
    cfs_json_text(&json, "state", state_of(source, &facts.pool));
    cfs_json_number(&json, "state_ms", (uint64_t)facts.pool.state_ms);
    cfs_json_bool(&json, "reads_offline", reads_offline(source, &facts.pool));
    cfs_json_number(&json, "reconnects", facts.pool.reconnects);
    cfs_json_number(&json, "pid", (uint64_t)getpid());
    cfs_json_number(&json, "up_ms", (uint64_t)facts.up_ms);
    cfs_json_number(&json, "connections", facts.pool.sessions);
    cfs_json_number(&json, "lanes", facts.pool.lanes);
    if (facts.pool.round_trip_ms >= 0)
        cfs_json_number(&json, "round_trip_ms", (uint64_t)facts.pool.round_trip_ms);
    else
        cfs_json_text(&json, "round_trip_ms", NULL);
    cfs_json_number(&json, "requests_waiting", facts.waiting);
    cfs_json_number(&json, "oldest_waiting_ms", (uint64_t)facts.oldest_ms);
    cfs_json_number(&json, "sftp_in_flight", facts.pool.in_flight);
    cfs_json_text(&json, "last_error", facts.pool.last_error[0] ? facts.pool.last_error : NULL);
    json_requests(&json, source, &facts);
    json_rates(&json, &facts);
    json_server(&json, &facts.pool);
    json_counters(&json, &facts);
    if (source->cache)
        json_cache(&json, &facts.cache);
    json_journal(&json, &facts.cache);
    cfs_json_close_object(&json);
    cfs_buffer_add_u8(out, '\n');
}
