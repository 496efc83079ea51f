/* A prompter with prepared answers, which remembers what it was asked. */
#ifndef CFS_TESTS_LIB_FAKE_PROMPTER_H
#define CFS_TESTS_LIB_FAKE_PROMPTER_H

#include "ssh/prompter.h"

struct fake_prompter {
    struct cfs_prompter prompter;
    bool nobody;            /* nobody can be asked: -ENOTTY */
    const char *answers[8]; /* for `ask`, in order; after the last: -ECANCELED */
    int confirmation;       /* for `confirm` */
    int asked, confirmed, told;
    bool echo;       /* of the last question */
    char last[1024]; /* the last text, of any kind */
};

/* All zero but the functions: gives up at the first question. */
void fake_prompter_init(struct fake_prompter *fake);

#endif
