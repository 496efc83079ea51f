/* THE option table. A row is an option: see conf/option.h for the columns. Defaults are texts that go through the same
 * parser as a file's, so that what the manual prints is what happens. */
#include "conf/check.h"
#include "conf/command.h"
#include "conf/hops.h"
#include "conf/option.h"
#include "conf/profile.h"
#include "conf/proxy.h"

#include "base/log.h"

#define FIELD(member)    .offset = offsetof(struct cfs_profile, member), .size = sizeof(((struct cfs_profile *)0)->member)
#define RANGE(low, high) .minimum = (low), .maximum = (high)
#define WORDS(...)                                                                                                     \
    .words = (const struct cfs_option_word[])                                                                          \
    {                                                                                                                  \
        __VA_ARGS__,                                                                                                   \
        {                                                                                                              \
            NULL, 0                                                                                                    \
        }                                                                                                              \
    }

#define MEBIBYTE (UINT64_C(1) << 20)
#define GIBIBYTE (UINT64_C(1) << 30)

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

/* clang-format off */
const struct cfs_option cfs_options[] = {
    /* connection */
    {"host", CFS_OPTIONS_CONNECTION, CFS_OPTION_TEXT, CFS_OPTION_IN_FILE, FIELD(host), .check = cfs_check_host,
     .placeholder = "NAME", .help = "The name or the address of the host. Every profile needs it."},
    {"ssh_config", CFS_OPTIONS_CONNECTION, CFS_OPTION_FILE, CFS_OPTION_ANYWHERE, FIELD(ssh_config),
     WORDS({"yes", CFS_WORD_ITSELF}, {"no", CFS_WORD_ITSELF}), .default_text = "yes", .placeholder = "FILE",
     .help = "Whether ssh_config(5) may say what is not set here: the host may be a shortcut of it. yes reads "
             "~/.ssh/config and /etc/ssh/ssh_config, as ssh does; a file is read instead of both. With transport = "
             "openssh it is ssh that reads them."},
    {"port", CFS_OPTIONS_CONNECTION, CFS_OPTION_NUMBER, CFS_OPTION_ANYWHERE, FIELD(port), RANGE(1, 65535),
     .default_text = "22", .placeholder = "N", .help = "The TCP port of the SSH server."},
    {"address_family", CFS_OPTIONS_CONNECTION, CFS_OPTION_CHOICE, CFS_OPTION_ANYWHERE, FIELD(address_family),
     WORDS({"any", CFS_ADDRESS_ANY}, {"inet", CFS_ADDRESS_INET}, {"inet6", CFS_ADDRESS_INET6}),
     .default_text = "any", .placeholder = "FAMILY",
     .help = "Which addresses of the host are tried: all, IPv4 (inet) or IPv6 (inet6)."},
    {"bind_address", CFS_OPTIONS_CONNECTION, CFS_OPTION_TEXT, CFS_OPTION_ANYWHERE, FIELD(bind_address),
     .check = cfs_check_host, .placeholder = "ADDRESS", .help = "The local address to connect from."},
    {"proxy_jump", CFS_OPTIONS_CONNECTION, CFS_OPTION_TEXT, CFS_OPTION_ANYWHERE, FIELD(proxy_jump),
     .check = cfs_hops_check, .default_note = "the host is reached from here", .placeholder = "HOP,...",
     .help = "The hosts to go through, [USER@]HOST[:PORT], the nearest first, separated by commas (in -o each comma is "
             "written \\,). Each may be the name of a profile, whose user, keys, known hosts and agent then hold for "
             "the login there; of others what [defaults] says. The host's own name is looked up by the last of them, and "
             "its key is checked here. All connections of a mount share one login at each hop. none is no hop."},
    {"proxy_command", CFS_OPTIONS_CONNECTION, CFS_OPTION_TEXT, CFS_OPTION_ANYWHERE, FIELD(proxy_command),
     .check = cfs_command_check_text, .default_note = "no program", .placeholder = "COMMAND",
     .help = "A program that carries the connection on its stdin and stdout: words separated by blanks, those in double "
             "quotes are one. %h, %p, %r and %% stand for the host, the port, the user and a percent sign. No shell reads "
             "it; where one is needed write sh -c \"...\". It ends with the connection. proxy_jump wins over it, and it "
             "over proxy. none is no program."},
    {"proxy", CFS_OPTIONS_CONNECTION, CFS_OPTION_TEXT, CFS_OPTION_ANYWHERE, FIELD(proxy), .check = cfs_proxy_check,
     .default_note = "no proxy", .placeholder = "URL",
     .help = "A proxy to connect through: socks5://[USER@]HOST[:PORT] (port 1080 if none is given) or "
             "http://[USER@]HOST[:PORT] (3128). The host's name is looked up there. With proxy_jump the nearest hop is "
             "reached through the proxy of its own profile, and this one is not used. none is no proxy."},
    {"proxy_password", CFS_OPTIONS_CONNECTION, CFS_OPTION_TEXT, CFS_OPTION_IN_FILE | CFS_OPTION_SECRET,
     FIELD(proxy_password), .placeholder = "TEXT",
     .help = "The password of the proxy's user. Only in a file that nobody but its owner can read. It goes to the "
             "proxy as it is, for all to see who are between."},
    {"channels", CFS_OPTIONS_CONNECTION, CFS_OPTION_NUMBER, CFS_OPTION_ANYWHERE, FIELD(channels), RANGE(1, 10),
     WORDS({"auto", 0}), .default_text = "auto", .placeholder = "N",
     .help = "How many SFTP channels one login opens. The first is for names and attributes, the others carry data; "
             "with one, all share it. A server that allows fewer is used with what it allows. "
             "OpenSSH allows 10 (MaxSessions); auto opens 3."},
    {"connections", CFS_OPTIONS_CONNECTION, CFS_OPTION_NUMBER, CFS_OPTION_ANYWHERE, FIELD(connections), RANGE(1, 8),
     WORDS({"auto", 0}), .default_text = "auto", .placeholder = "N",
     .help = "Up to how many connections to the server are made, each with a login of its own, for large files: over "
             "distance the speed of one is bounded. auto makes 2 where the round trip is longer than 2 ms, soon after "
             "the mount where it is 10 ms or more; and up to 4 where it is longer than 50 ms, or more than a gigabit a "
             "second moves. Names and attributes stay on the first. Those that had nothing to do for five minutes are "
             "closed. There are no further ones where a login asks somebody for an answer, or once the server has "
             "refused one."},
    {"transport", CFS_OPTIONS_CONNECTION, CFS_OPTION_CHOICE, CFS_OPTION_ANYWHERE, FIELD(transport),
     WORDS({"libssh2", CFS_TRANSPORT_LIBSSH2}, {"openssh", CFS_TRANSPORT_OPENSSH}), .default_text = "libssh2",
     .placeholder = "WHICH",
     .help = "What speaks SSH: libssh2 is part of clusterfs; openssh is the ssh program of this machine, with all that "
             "its configuration and it can do: Kerberos, security keys, certificates, Match blocks. What is not set in "
             "the profile is then left to ssh_config. host_key_fingerprint cannot be used with it."},
    {"ssh_command", CFS_OPTIONS_CONNECTION, CFS_OPTION_TEXT, CFS_OPTION_ANYWHERE, FIELD(ssh_command),
     .check = cfs_check_command, .default_text = "ssh", .placeholder = "COMMAND",
     .help = "With transport = openssh: the program and its first arguments, separated by blanks, those in double quotes "
             "as one. No shell reads it. What would keep ssh's words from clusterfs (-q, -E) or share its connection with "
             "others (-S) is refused."},
    {"compression", CFS_OPTIONS_CONNECTION, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(compression),
     .default_text = "no", .help = "Compress the connection. Worth it on slow links only."},
    {"ciphers", CFS_OPTIONS_CONNECTION, CFS_OPTION_TEXT, CFS_OPTION_ANYWHERE, FIELD(ciphers),
     .check = cfs_check_algorithms, .default_note = "the fastest safe ones first", .placeholder = "LIST",
     .help = "The ciphers that are offered, most wanted first, separated by commas (in -o each comma is written \\,)."},
    /* login */
    {"user", CFS_OPTIONS_LOGIN, CFS_OPTION_TEXT, CFS_OPTION_ANYWHERE, FIELD(user), .check = cfs_check_user,
     .default_note = "the local user's name", .placeholder = "NAME", .help = "The name to log in with."},
    {"identity_file", CFS_OPTIONS_LOGIN, CFS_OPTION_FILES, CFS_OPTION_ANYWHERE, FIELD(identity_files),
     WORDS({"none", CFS_WORD_NOTHING}), .default_note = "the usual names in ~/.ssh", .placeholder = "FILE...",
     .help = "Private keys to log in with, in this order, separated by blanks; none leaves it to the agent."},
    {"certificate_file", CFS_OPTIONS_LOGIN, CFS_OPTION_FILES, CFS_OPTION_ANYWHERE, FIELD(certificate_files),
     .default_note = "NAME-cert.pub beside each identity file", .placeholder = "FILE...",
     .help = "Certificates that an authority has signed for keys of identity_file or of the agent, separated by blanks. "
             "NAME-cert.pub beside an identity file need not be named."},
    {"identity_agent", CFS_OPTIONS_LOGIN, CFS_OPTION_FILE, CFS_OPTION_ANYWHERE, FIELD(identity_agent),
     WORDS({"none", CFS_WORD_NOTHING}, {"SSH_AUTH_SOCK", CFS_WORD_ENVIRONMENT}), .default_text = "SSH_AUTH_SOCK",
     .placeholder = "PATH",
     .help = "The socket of the SSH agent; SSH_AUTH_SOCK is the one that the environment names, none is no agent."},
    {"identities_only", CFS_OPTIONS_LOGIN, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(identities_only),
     .default_text = "no", .help = "Use the keys of identity_file only, also when the agent holds others."},
    {"password", CFS_OPTIONS_LOGIN, CFS_OPTION_TEXT, CFS_OPTION_IN_FILE | CFS_OPTION_SECRET, FIELD(password),
     .default_note = "asked for with a terminal", .placeholder = "TEXT",
     .help = "The password. Only in a file that nobody but its owner can read; password_command, or a key, is better."},
    {"password_command", CFS_OPTIONS_LOGIN, CFS_OPTION_TEXT, CFS_OPTION_ANYWHERE, FIELD(password_command),
     .check = cfs_command_check_text, .default_note = "asked for with a terminal", .placeholder = "COMMAND",
     .help = "A program that prints the password, such as pass show work/%h: words separated by blanks, those in double "
             "quotes are one; %h, %p, %r and %% stand for the host, the port, the user and a percent sign. No shell reads "
             "it; where one is needed write sh -c \"...\". The first line that it prints is the password. It runs once for "
             "each login that wants one, also when a lost connection is made again; a password that the server refuses is "
             "not sent twice. none is no program."},
    {"passphrase", CFS_OPTIONS_LOGIN, CFS_OPTION_TEXT, CFS_OPTION_IN_FILE | CFS_OPTION_SECRET, FIELD(passphrase),
     .default_note = "asked for with a terminal", .placeholder = "TEXT",
     .help = "The passphrase of the private key. Only in a file that nobody but its owner can read; "
             "an agent is better."},
    {"keep_keys", CFS_OPTIONS_LOGIN, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(keep_keys), .default_text = "yes",
     .help = "Keep a key whose passphrase you were asked for, unlocked, in memory that is neither swapped out nor "
             "dumped, until the mount ends: a lost connection is then made again, and further connections are made, "
             "without you. With no, such a mount waits for `clusterfs login`."},
    /* host key */
    {"known_hosts", CFS_OPTIONS_HOST_KEY, CFS_OPTION_FILES, CFS_OPTION_ANYWHERE, FIELD(known_hosts),
     .default_text = "~/.ssh/known_hosts ~/.ssh/known_hosts2 /etc/ssh/ssh_known_hosts", .placeholder = "FILE...",
     .help = "Files with known host keys, separated by blanks. New keys are added to the first."},
    {"host_key_policy", CFS_OPTIONS_HOST_KEY, CFS_OPTION_CHOICE, CFS_OPTION_ANYWHERE, FIELD(host_key_policy),
     WORDS({"auto", CFS_HOST_KEY_AUTO}, {"strict", CFS_HOST_KEY_STRICT}, {"ask", CFS_HOST_KEY_ASK},
           {"accept-new", CFS_HOST_KEY_ACCEPT_NEW}),
     .default_text = "auto", .placeholder = "POLICY",
     .help = "What happens with a host whose key is not known: strict refuses, ask asks on the terminal, accept-new "
             "adds it, auto asks with a terminal and refuses without. A changed key is always refused."},
    {"host_key_fingerprint", CFS_OPTIONS_HOST_KEY, CFS_OPTION_TEXT, CFS_OPTION_ANYWHERE, FIELD(host_key_fingerprint),
     .check = cfs_check_fingerprint, .placeholder = "SHA256:...",
     .help = "The fingerprint that the host's key must have, as ssh-keygen -l prints it; known_hosts is then not read."},
    {"host_key_alias", CFS_OPTIONS_HOST_KEY, CFS_OPTION_TEXT, CFS_OPTION_ANYWHERE, FIELD(host_key_alias),
     .check = cfs_check_host, .default_note = "the host", .placeholder = "NAME",
     .help = "The name under which the host's key is looked up and added."},
    /* mount */
    {"remote_dir", CFS_OPTIONS_MOUNT, CFS_OPTION_TEXT, CFS_OPTION_IN_FILE, FIELD(remote_dir),
     .default_note = "the login folder", .placeholder = "PATH",
     .help = "The remote folder to mount; a relative path, or one that begins with ~/, is below the login folder. "
             "A path in the source overrides it."},
    {"ro", CFS_OPTIONS_MOUNT, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(read_only), .default_text = "no",
     .help = "Mount read-only."},
    {"allow_other", CFS_OPTIONS_MOUNT, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(allow_other), .default_text = "no",
     .help = "Let all local users reach the mount; needs user_allow_other in /etc/fuse.conf."},
    {"allow_root", CFS_OPTIONS_MOUNT, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(allow_root), .default_text = "no",
     .help = "Let root reach the mount, too; needs user_allow_other in /etc/fuse.conf."},
    {"default_permissions", CFS_OPTIONS_MOUNT, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(default_permissions),
     .default_text = "yes", .help = "Let the kernel check the modes that files are shown with."},
    {"nosuid", CFS_OPTIONS_MOUNT, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(nosuid), .default_text = "yes",
     .help = "Ignore set-user-ID and set-group-ID bits."},
    {"nodev", CFS_OPTIONS_MOUNT, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(nodev), .default_text = "yes",
     .help = "Ignore device files."},
    {"noexec", CFS_OPTIONS_MOUNT, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(noexec), .default_text = "no",
     .help = "Do not run programs from the mount."},
    {"symlinks", CFS_OPTIONS_MOUNT, CFS_OPTION_CHOICE, CFS_OPTION_ANYWHERE, FIELD(symlinks),
     WORDS({"safe", CFS_SYMLINKS_SAFE}, {"raw", CFS_SYMLINKS_RAW}), .default_text = "safe", .placeholder = "HOW",
     .help = "How symbolic links are shown: safe lets none lead out of the mount, raw shows what the server has."},
    {"attr_ttl", CFS_OPTIONS_MOUNT, CFS_OPTION_DURATION, CFS_OPTION_ANYWHERE, FIELD(attr_ttl_ms), RANGE(0, HOUR),
     WORDS({"auto", CFS_ATTR_TTL_AUTO}), .default_text = "auto", .placeholder = "TIME",
     .help = "For how long names and attributes may be answered without asking the server; an open always asks. auto "
             "is 1s for what changed just now, up to 1m for what is old; for names that are not there at most 10s. "
             "Without cache, auto is 1s."},
    {"cache", CFS_OPTIONS_MOUNT, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(cache), .default_text = "yes",
     .help = "Keep names and contents in memory, read ahead, and write behind."},
    {"cache_size", CFS_OPTIONS_MOUNT, CFS_OPTION_SIZE, CFS_OPTION_ANYWHERE, FIELD(cache_size),
     RANGE(1 * MEBIBYTE, 1024 * GIBIBYTE), WORDS({"auto", 0}), .default_text = "auto", .placeholder = "SIZE",
     .help = "How much of what was read is kept in memory; auto is an eighth of the machine's memory, at most 1G."},
    {"dirty_limit", CFS_OPTIONS_MOUNT, CFS_OPTION_SIZE, CFS_OPTION_ANYWHERE, FIELD(dirty_limit),
     RANGE(0, 64 * GIBIBYTE), .default_text = "64M", .placeholder = "SIZE",
     .help = "How much may have been written without the server having acknowledged it, at most cache_size. "
             "With 0 each write waits for the server."},
    {"durability", CFS_OPTIONS_MOUNT, CFS_OPTION_CHOICE, CFS_OPTION_ANYWHERE, FIELD(durability),
     WORDS({"close", CFS_DURABLE_AT_CLOSE}, {"fsync", CFS_DURABLE_AT_FSYNC}), .default_text = "close",
     .placeholder = "WHEN",
     .help = "When a program is told that what it wrote is on the server. With close, close and fsync wait for the "
             "server, and tell its errors. With fsync, only fsync waits: close, and making files and folders, return "
             "at once where nothing seems to stand in the way, and the rest is finished behind. Many small files are "
             "then made as fast as the link carries them. What fails afterwards is logged, told to the next use of "
             "the file, and told by clusterfs umount, which waits until all is written."},
    {"conflict", CFS_OPTIONS_MOUNT, CFS_OPTION_CHOICE, CFS_OPTION_ANYWHERE, FIELD(conflict),
     WORDS({"fail", CFS_CONFLICT_FAIL}, {"copy", CFS_CONFLICT_COPY}), .default_text = "fail", .placeholder = "HOW",
     .help = "What becomes of written data that the server does not have yet when the connection is lost, and the file "
             "is another one, or gone, when it is there again. The server's file is never overwritten, and the program "
             "is told ESTALE. With copy what is known of the file is saved beside it, as "
             "NAME.clusterfs-conflict-TIME; the log, and clusterfs umount, tell where. With cache only."},
    {"offline", CFS_OPTIONS_MOUNT, CFS_OPTION_CHOICE, CFS_OPTION_ANYWHERE, FIELD(offline),
     WORDS({"fail", CFS_OFFLINE_FAIL}, {"read", CFS_OFFLINE_READ}), .default_text = "fail", .placeholder = "HOW",
     .help = "What programs get while the connection is lost. With fail they wait for it, for reconnect_timeout at "
             "most, and then get errors. With read they get at once what is kept, however old it is: names, "
             "attributes, listings, and files of which something is kept, as far as it is; for what is not kept, and "
             "to change anything, they wait. With cache only."},
    {"journal", CFS_OPTIONS_MOUNT, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(journal), .default_text = "yes",
     .help = "With durability = fsync: what was told to be done, and is not on the server yet, is kept on the local "
             "disk before close returns, in $XDG_STATE_HOME/clusterfs/journal (~/.local/state/clusterfs/journal; for "
             "root /var/lib/clusterfs/journal). Should the mount, or this machine, end before it could be finished, the "
             "next mount of the same folder brings it to the server; what somebody else has changed there meanwhile "
             "is not overwritten, but gets a copy beside it, NAME.clusterfs-conflict-TIME. With no, it is lost then."},
    {"journal_size", CFS_OPTIONS_MOUNT, CFS_OPTION_SIZE, CFS_OPTION_ANYWHERE, FIELD(journal_size),
     RANGE(1 * MEBIBYTE, 16 * GIBIBYTE), .default_text = "256M", .placeholder = "SIZE",
     .help = "How large the journal may become. What does not fit waits for the server, as with durability = close."},
    {"prefetch", CFS_OPTIONS_MOUNT, CFS_OPTION_BOOL, CFS_OPTION_ANYWHERE, FIELD(prefetch), .default_text = "yes",
     .help = "Fetch ahead what a program that reads a file in order, or goes through files and folders one after "
             "another, will want next: it may then see a file as it was up to a second before the open. "
             "With cache only."},
    {"config", CFS_OPTIONS_MOUNT, CFS_OPTION_FILE, CFS_OPTION_IN_MOUNT, .offset = CFS_OPTION_NO_FIELD,
     .default_note = "the usual files", .placeholder = "FILE",
     .help = "Read this configuration file and no other, as -c does."},
    /* owner mapping */
    {"idmap", CFS_OPTIONS_OWNER, CFS_OPTION_CHOICE, CFS_OPTION_ANYWHERE, FIELD(idmap),
     WORDS({"user", CFS_IDMAP_USER}, {"none", CFS_IDMAP_NONE}, {"name", CFS_IDMAP_NAME}), .default_text = "user",
     .placeholder = "HOW",
     .help = "Whose files are shown: user shows the remote user's as yours, none shows the server's numbers, "
             "name translates names where the server tells them."},
    {"uid", CFS_OPTIONS_OWNER, CFS_OPTION_NUMBER, CFS_OPTION_ANYWHERE, FIELD(uid), RANGE(0, UINT32_MAX - 1),
     .default_note = "the mounting user", .placeholder = "N",
     .help = "The local user that idmap = user maps the remote user to."},
    {"gid", CFS_OPTIONS_OWNER, CFS_OPTION_NUMBER, CFS_OPTION_ANYWHERE, FIELD(gid), RANGE(0, UINT32_MAX - 1),
     .default_note = "the mounting user's group", .placeholder = "N",
     .help = "The local group that idmap = user maps the remote user's group to."},
    {"umask", CFS_OPTIONS_OWNER, CFS_OPTION_OCTAL, CFS_OPTION_ANYWHERE, FIELD(umask), RANGE(0, 0777),
     .placeholder = "MASK", .help = "Mode bits, in octal, that are taken away from the modes that the server tells."},
    /* limits */
    {"connect_timeout", CFS_OPTIONS_LIMITS, CFS_OPTION_DURATION, CFS_OPTION_ANYWHERE, FIELD(connect_timeout_ms),
     RANGE(1 * SECOND, 10 * MINUTE), .default_text = "15s", .placeholder = "TIME",
     .help = "How long looking up and reaching the host may take."},
    {"login_timeout", CFS_OPTIONS_LIMITS, CFS_OPTION_DURATION, CFS_OPTION_ANYWHERE, FIELD(login_timeout_ms),
     RANGE(1 * SECOND, 1 * HOUR), .default_text = "2m", .placeholder = "TIME",
     .help = "How long the login may take. The time that you need to answer, here or on another device that the "
             "server asks you by, does not count; it counts where nobody can be asked."},
    {"op_timeout", CFS_OPTIONS_LIMITS, CFS_OPTION_DURATION, CFS_OPTION_ANYWHERE, FIELD(op_timeout_ms),
     RANGE(1 * SECOND, 1 * HOUR), .default_text = "30s", .placeholder = "TIME",
     .help = "How long one request may wait for the server before the program that made it gets an error."},
    {"drain_timeout", CFS_OPTIONS_LIMITS, CFS_OPTION_DURATION, CFS_OPTION_ANYWHERE, FIELD(drain_timeout_ms),
     RANGE(0, 24 * HOUR), .default_text = "2m", .placeholder = "TIME",
     .help = "How long a mount that was told to end (umount, fusermount3 -u, SIGTERM) waits for a server that takes "
             "nothing of what is left to be written. Then it is given up, and told to be lost. A new mount on the same "
             "mount point waits as long for the last one to write something. 0 waits without end."},
    {"watchdog_timeout", CFS_OPTIONS_LIMITS, CFS_OPTION_DURATION, CFS_OPTION_ANYWHERE, FIELD(watchdog_timeout_ms),
     RANGE(0, 1 * HOUR), .default_text = "1m", .placeholder = "TIME",
     .help = "When a thread of the process has stood still for so long over one piece of work, the log is told what "
             "all of them do and which requests wait; when it does not go on for as long again, the mount is taken "
             "away, so that no program waits for ever. 0: nobody looks."},
    {"reconnect_timeout", CFS_OPTIONS_LIMITS, CFS_OPTION_DURATION, CFS_OPTION_ANYWHERE, FIELD(reconnect_timeout_ms),
     RANGE(0, 24 * HOUR), .default_text = "2m", .placeholder = "TIME",
     .help = "How long programs wait when the connection is lost, until it is there again; then they get errors, and go "
             "on when it comes. 0 is without end."},
    {"heartbeat", CFS_OPTIONS_LIMITS, CFS_OPTION_DURATION, CFS_OPTION_ANYWHERE, FIELD(heartbeat_ms),
     RANGE(0, 1 * HOUR), .default_text = "15s", .placeholder = "TIME",
     .help = "When the server has said nothing for so long it is asked for a sign of life, a hundred bytes, so that a "
             "connection that is dead is noticed, and made again, before a program has to wait for it; so is a sleep of "
             "this machine. It keeps the connection in the tables of routers, too. 0: nobody asks."},
    /* logging */
    {"log_level", CFS_OPTIONS_LOGGING, CFS_OPTION_CHOICE, CFS_OPTION_ANYWHERE, FIELD(log_level),
     WORDS({"error", CFS_LOG_ERROR}, {"warning", CFS_LOG_WARNING}, {"info", CFS_LOG_INFO}, {"debug", CFS_LOG_DEBUG}),
     .default_text = "warning", .placeholder = "LEVEL", .help = "What is logged: this and what is worse."},
    {"log_file", CFS_OPTIONS_LOGGING, CFS_OPTION_FILE, CFS_OPTION_ANYWHERE, FIELD(log_file),
     .default_note = "the system's log; the terminal in the foreground", .placeholder = "FILE",
     .help = "Append the log to this file."},
};
/* clang-format on */

const size_t cfs_option_count = CFS_COUNT(cfs_options);
