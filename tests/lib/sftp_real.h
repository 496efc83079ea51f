/* A client on a real sftp-server, as a child process: no SSH, no network. */
#ifndef CFS_TESTS_SFTP_REAL_H
#define CFS_TESTS_SFTP_REAL_H

#include "lib/sftp_peer.h"

struct sftp_real {
    struct cfs_loop *loop;
    struct cfs_sftp_client *client;
    bool ready;
    unsigned lost;
    int lost_error;
    char lost_reason[512];
};

/* Starts ARGV and waits until the client is ready. Skips the test if ARGV[0] is NULL. */
void real_start(struct sftp_real *real, char *const argv[]);
/* The same, without waiting. */
void real_start_only(struct sftp_real *real, char *const argv[]);
void real_stop(struct sftp_real *real);
/* Turns the loop until *COUNT >= WANTED; fails the test after 60 seconds without any. */
void real_wait(struct sftp_real *real, const unsigned *count, unsigned wanted);
/* For `SUBMITTED`, the result of a submit: checks it, waits for the answer and returns its error. */
int real_result(struct sftp_real *real, struct peer_answer *answer, int submitted);

#endif
