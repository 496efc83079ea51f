/* Where OpenSSH's sftp-server is. */
#ifndef CFS_TESTS_FIND_SFTP_SERVER_H
#define CFS_TESTS_FIND_SFTP_SERVER_H

/* A static path; NULL if it is not on this machine. */
const char *find_sftp_server(void);

#endif
