/* A prompter with prepared answers. */
#include "lib/fake_prompter.h"

#include "base/list.h"
#include <errno.h>
#include <string.h>

static struct fake_prompter *fake_of(struct cfs_prompter *prompter)
{
    return cfs_container_of(prompter, struct fake_prompter, prompter);
}

static void remember(struct fake_prompter *fake, const char *text)
{
    snprintf(fake->last, sizeof(fake->last), "%s", text);
}

static int ask(struct cfs_prompter *prompter, const char *text, bool echo, char **ret_answer)
{
    struct fake_prompter *fake = fake_of(prompter);
    if (fake->nobody)
        return -ENOTTY;
    remember(fake, text);
    fake->echo = echo;
    int number = fake->asked++;
    if (number >= (int)CFS_COUNT(fake->answers) || !fake->answers[number])
        return -ECANCELED;
    *ret_answer = strdup(fake->answers[number]);
    return *ret_answer ? 0 : -ENOMEM;
}

static int confirm(struct cfs_prompter *prompter, const char *text)
{
    struct fake_prompter *fake = fake_of(prompter);
    if (fake->nobody)
        return -ENOTTY;
    remember(fake, text);
    fake->confirmed++;
    return fake->confirmation;
}

static bool can_ask(struct cfs_prompter *prompter)
{
    return !fake_of(prompter)->nobody;
}

static void tell(struct cfs_prompter *prompter, const char *text)
{
    struct fake_prompter *fake = fake_of(prompter);
    remember(fake, text);
    fake->told++;
}

void fake_prompter_init(struct fake_prompter *fake)
{
    *fake = (struct fake_prompter){.prompter = {.ask = ask, .confirm = confirm, .can_ask = can_ask, .tell = tell}};
}
