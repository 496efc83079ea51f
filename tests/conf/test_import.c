/* Sites of other programs become profiles, or notes that say why not. */
#include "conf/import.h"

#include "lib/test.h"

typedef int parser(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                   struct cfs_error *error);

static struct cfs_error error;

/* All that is shown, or the error. The caller frees. */
static char *show_named(parser *parse, const char *bytes, size_t length, const char *name)
{
    struct cfs_import import CFS_AUTO_IMPORT = {0};
    struct cfs_buffer text CFS_AUTO_BUFFER;
    char *shown = NULL;
    size_t shown_length = 0, count = 0;
    cfs_buffer_init(&text);
    error = (struct cfs_error){0};
    /* A copy of the exact size, so that the address sanitizer sees a read beyond it. */
    char *copy CFS_AUTO_FREE = malloc(length ? length : 1);
    memcpy(copy, bytes, length);
    if (parse(copy, length, name, &import, &error) < 0)
        return strdup(error.text);
    FILE *out = open_memstream(&shown, &shown_length);
    struct cfs_import_target target = {.text = &text, .path = "t", .origin = "X"};
    assert_int_equal(cfs_import_plan(&import, &target, out, &count, &error), 0);
    fclose(out);
    return shown;
}

static void assert_shown(parser *parse, const char *bytes, const char *expected)
{
    char *shown CFS_AUTO_FREE = show_named(parse, bytes, strlen(bytes), "f");
    assert_string_equal(shown, expected);
}

#define SITES(inner)      "<?xml version=\"1.0\"?>\n<FileZilla3><Servers>" inner "</Servers></FileZilla3>"
#define SERVER(name, etc) "<Server><Name>" name "</Name><Host>h</Host><Protocol>1</Protocol>" etc "</Server>"
#define FOLDER(path)      SITES(SERVER("a", "<RemoteDir>" path "</RemoteDir>"))

static void sites_of_filezilla_become_profiles(void **state CFS_UNUSED)
{
    assert_shown(cfs_import_filezilla,
                 SITES("<Folder expanded=\"1\">Work&#xA;<Server><Host>203.0.113.5</Host><Port>2222</Port>"
                       "<Protocol>1</Protocol><Type>0</Type><User>uprod_qpWia</User><Keyfile>/k/my 5%.ppk</Keyfile>"
                       "<Logontype>5</Logontype><Name>Job 1 &amp; more</Name><RemoteDir>1 0 4 home 5 alice</RemoteDir>"
                       "<Bookmark><Name>b</Name><RemoteDir>1 0 3 etc</RemoteDir></Bookmark></Server></Folder>"),
                 "# X: Job 1 & more\n[Job-1-more]\nhost = 203.0.113.5\nport = 2222\nuser = uprod_qpWia\n"
                 "identity_file = \"/k/my 5%%.ppk\"\nremote_dir = /home/alice\n\n");
    assert_shown(cfs_import_filezilla,
                 SITES("<Server><Host>[2001:db8::1]</Host><Port>22</Port><Protocol>1</Protocol>old&#xA0;\n</Server>"),
                 "# X: old\n[old]\nhost = 2001:db8::1\n\n");
}

static void folders_of_filezilla_are_decoded(void **state CFS_UNUSED)
{
    static const char head[] = "# X: a\n[a]\nhost = h\n";
    assert_shown(cfs_import_filezilla, FOLDER("1 0"), "# X: a\n[a]\nhost = h\nremote_dir = /\n\n");
    assert_shown(cfs_import_filezilla, FOLDER("1 0 5 Größe 3 a b"),
                 "# X: a\n[a]\nhost = h\nremote_dir = /Größe/a b\n\n");
    static const char *const wrong[] = {"3 2 C: 4 home", "1 0 5 home", "1 0 4 homes", "1 0 2 ..",   "1 0 3 a/b", "x",
                                        "1 0 0 ",        "1 1 x 1 a",  "1",           "1 0 99999 a"};
    for (size_t i = 0; i < CFS_COUNT(wrong); i++) {
        char bytes[512], expected[512];
        snprintf(bytes, sizeof(bytes), FOLDER("%s"), wrong[i]);
        char *shown CFS_AUTO_FREE = show_named(cfs_import_filezilla, bytes, strlen(bytes), "f");
        size_t length = strlen(wrong[i]);
        while (wrong[i][length - 1] == ' ')
            length--;
        snprintf(expected, sizeof(expected), "%s# remote_dir was not taken: \"%.*s\" is no path of Unix\n\n", head,
                 (int)length, wrong[i]);
        assert_string_equal(shown, expected);
    }
}

static void passwords_are_told_and_never_taken(void **state CFS_UNUSED)
{
    assert_shown(cfs_import_filezilla, SITES(SERVER("a", "<Pass encoding=\"base64\">c2VjcmV0</Pass>")),
                 "# X: a\n[a]\nhost = h\n# the password was not taken: you will be asked for it\n\n");
    assert_shown(cfs_import_winscp, "[Sessions\\a]\nHostName=h\nPassword=A35C\n",
                 "# X: a\n[a]\nhost = h\n# the password was not taken: you will be asked for it\n\n");
}

static void names_are_made_valid_and_unique(void **state CFS_UNUSED)
{
    assert_shown(cfs_import_filezilla,
                 SITES(SERVER("a", "") SERVER("a", "") SERVER("defaults", "") SERVER("--[x]\n[y]", "") SERVER("", "")),
                 "# X: a\n[a]\nhost = h\n\n# X: a\n[a-2]\nhost = h\n\n# X: defaults\n[defaults-2]\nhost = h\n\n"
                 "# X: --[x]?[y]\n[x-y]\nhost = h\n\n# X: h\n[h]\nhost = h\n\n");
    assert_shown(cfs_import_filezilla, SITES(SERVER("0123456789012345678901234567890123456789012345678", "")),
                 "# X: 0123456789012345678901234567890123456789012345678\n"
                 "[0123456789012345678901234567890123456789012]\nhost = h\n\n");
}

static void what_cannot_be_a_profile_is_told(void **state CFS_UNUSED)
{
    assert_shown(cfs_import_filezilla, SITES("<Server><Host>h</Host><Protocol>0</Protocol><Name>f</Name></Server>"),
                 "# f was not taken: it is not reached by SFTP\n\n");
    assert_shown(cfs_import_filezilla, SITES("<Server><Protocol>1</Protocol><Name>f</Name></Server>"),
                 "# f was not taken: it has no host\n\n");
    assert_shown(cfs_import_putty, "HostName=h\nProtocol=telnet\n",
                 "# f was not taken: it is not reached by SSH but by telnet\n\n");
    assert_shown(cfs_import_winscp, "[Sessions\\f]\nHostName=h\nFSProtocol=5\n",
                 "# f was not taken: it is not reached by SSH\n\n");
    char *shown CFS_AUTO_FREE = show_named(cfs_import_putty, "HostName=-x\n", strlen("HostName=-x\n"), "f");
    assert_non_null(strstr(shown, "# f was not taken: f: host = -x: host must be"));
    free(shown);
    shown = show_named(cfs_import_putty, "HostName=h\nPortNumber=0x\n", strlen("HostName=h\nPortNumber=0x\n"), "f");
    assert_string_equal(shown, "# X: f\n[f]\nhost = h\n"
                               "# port was not taken: f: port = 0x: port must be a number from 1 to 65535\n\n");
}

static void files_that_are_something_else_are_refused(void **state CFS_UNUSED)
{
    static const char *const entities[] = {
        "<!DOCTYPE FileZilla3 [<!ENTITY e \"x\">]><FileZilla3><Server><Host>&e;</Host></Server></FileZilla3>",
        "<!DOCTYPE FileZilla3 SYSTEM \"file:///etc/passwd\"><FileZilla3/>"};
    for (size_t i = 0; i < CFS_COUNT(entities); i++)
        assert_shown(cfs_import_filezilla, entities[i],
                     "f:1: this is no list of FileZilla's sites: it has a document type declaration, which FileZilla "
                     "does not write");
    assert_shown(cfs_import_filezilla, "<a/>", "f:1: this is no list of FileZilla's sites: its root is not FileZilla3");
    assert_shown(cfs_import_filezilla, "", "f:1: this is no list of FileZilla's sites: no element found");
    assert_shown(cfs_import_filezilla, "<FileZilla3><Servers>",
                 "f:1: this is no list of FileZilla's sites: no element found");
    assert_shown(cfs_import_winscp, "hello\n", "f: this is no file of WinSCP's");
    char *shown CFS_AUTO_FREE = show_named(cfs_import_winscp, "[a]\n\0", 5, "f");
    assert_string_equal(shown, "f: this is no file of WinSCP's");
    assert_shown(cfs_import_ssh_config, "Host a\nHost \"b\n",
                 "f:2: this is no ssh_config: there is a quote without its end");
    assert_shown(cfs_import_ssh_config, "<xml/>\n", "f:1: this is no ssh_config: there is no value behind the keyword");
}

static void elements_nested_deeply_are_refused(void **state CFS_UNUSED)
{
    char bytes[2000] = "<FileZilla3>";
    for (int i = 0; i < 100; i++)
        strcat(bytes, "<Folder>");
    char *shown CFS_AUTO_FREE = show_named(cfs_import_filezilla, bytes, strlen(bytes), "f");
    assert_string_equal(shown, "f:1: this is no list of FileZilla's sites: its elements are nested too deeply");
}

static void sites_of_winscp_become_profiles(void **state CFS_UNUSED)
{
    assert_shown(cfs_import_winscp,
                 "\xef\xbb\xbf[Configuration\\Interface]\r\nHostName=no\r\n[Sessions\\Default%20Settings]\r\n"
                 "HostName=no\r\n[Sessions\\work/job%201]\r\nHostName=%EF%BB%BFh.example.org\r\nPortNumber=2222\r\n"
                 "UserName=u\r\nPublicKeyFile=Z:%5Chome%5Ca%20b%5Ck.ppk\r\nRemoteDirectory=/data/a%20b\r\n"
                 "Compression=1\r\nTryAgent=0\r\nAddressFamily=1\r\nFSProtocol=2\r\n[Sessions2\\x]\r\nUserName=no\r\n",
                 "# X: work/job 1\n[work-job-1]\nhost = h.example.org\nport = 2222\nuser = u\n"
                 "identity_file = \"/home/a b/k.ppk\"\nremote_dir = /data/a b\ncompression = yes\n"
                 "identity_agent = none\naddress_family = inet\n\n");
    assert_shown(
        cfs_import_winscp, "[Sessions\\a]\nHostName=h\nPublicKeyFile=C:%5CUsers%5Cme%5Ck.ppk\nProxyMethod=2\n",
        "# X: a\n[a]\nhost = h\n# identity_file was not taken: C:\\Users\\me\\k.ppk is a path of Windows. Bring "
        "the key here, and say: clusterfs set PROFILE identity_file=FILE\n# the proxy was not taken\n\n");
}

static void sessions_of_putty_become_profiles(void **state CFS_UNUSED)
{
    static const char session[] = "HostName=alice@h\nPortNumber=2222\nUserName=bob\nProtocol=ssh\n"
                                  "PublicKeyFile=/home/alice/k.ppk\nAddressFamily=2\nLogHost=alias:22\nTryAgent=1\n";
    char *shown CFS_AUTO_FREE = show_named(cfs_import_putty, session, strlen(session), "gpu%20box");
    assert_string_equal(shown, "# X: gpu box\n[gpu-box]\nhost = h\nuser = alice\nport = 2222\n"
                               "identity_file = /home/alice/k.ppk\naddress_family = inet6\nhost_key_alias = alias\n\n");
    free(shown);
    shown = show_named(cfs_import_putty, session, strlen(session), "Default%20Settings");
    assert_string_equal(shown, "");
    assert_shown(cfs_import_putty, "HostName=h\nProxyMethod=1\nProxyHost=p\nProxyPassword=x\n",
                 "# X: f\n[f]\nhost = h\n# the proxy p was not taken\n# the password of the proxy was not taken\n\n");
    assert_shown(cfs_import_putty, "HostName=h\nProxyMethod=2\nProxyHost=p\nProxyPort=1080\nProxyUsername=me\n",
                 "# X: f\n[f]\nhost = h\nproxy = socks5://me@p:1080\n\n");
    assert_shown(cfs_import_putty, "HostName=h\nProxyMethod=3\nProxyHost=fd00::1\n",
                 "# X: f\n[f]\nhost = h\nproxy = http://[fd00::1]\n\n");
}

static void hosts_of_ssh_config_become_profiles(void **state CFS_UNUSED)
{
    assert_shown(
        cfs_import_ssh_config,
        "# Host no\nUser x\nHost gpu \"two\" *.example.org !gpu # no\n  HostName 203.0.113.5\n\thost=gpu three\r\n"
        "Match host four\nHostKeyAlias five\nInclude conf.d/*\n",
        "# X: gpu\n[gpu]\nhost = gpu\n\n# X: two\n[two]\nhost = two\n\n# X: three\n[three]\nhost = three\n\n"
        "# conf.d/* was not taken: only the hosts of one file are taken; name this file to take its own\n\n");
    assert_shown(
        cfs_import_ssh_config, "Host 'x y' a\\\"b\nHost=\"\" c",
        "# x y was not taken: x y: host = x y: host must be a host's name or address (an IPv6 address without "
        "brackets): no blanks, no '/' or '@' or other punctuation, and no '-' at the beginning\n\n"
        "# a\"b was not taken: a\"b: host = a\"b: host must be a host's name or address (an IPv6 address without "
        "brackets): no blanks, no '/' or '@' or other punctuation, and no '-' at the beginning\n\n"
        "# X: c\n[c]\nhost = c\n\n");
    assert_shown(cfs_import_ssh_config, "Host a/b\n",
                 "# a/b was not taken: a/b: host = a/b: host must be a host's name or address (an IPv6 address without "
                 "brackets): no blanks, no '/' or '@' or other punctuation, and no '-' at the beginning\n\n");
}

static void hosts_of_a_file_of_its_own_name_it(void **state CFS_UNUSED)
{
    static const char bytes[] = "Host gpu\n";
    struct cfs_import import CFS_AUTO_IMPORT = {.ssh_config = "/home/a b/100%"};
    struct cfs_error problem = {0};
    assert_int_equal(cfs_import_ssh_config(bytes, strlen(bytes), "f", &import, &problem), 0);
    assert_int_equal(import.count, 1);
    assert_string_equal(import.sites[0].keys[1], "ssh_config");
    assert_string_equal(import.sites[0].values[1], "/home/a b/100%%");
}

static void ways_through_a_jump_host_are_taken(void **state CFS_UNUSED)
{
    assert_shown(cfs_import_winscp,
                 "[Sessions\\a]\nHostName=h\nTunnel=1\nTunnelHostName=gate\nTunnelPortNumber=2222\nTunnelUserName=me\n"
                 "TunnelPublicKeyFile=Z:%5Chome%5Ck.ppk\n",
                 "# X: a\n[a]\nhost = h\nproxy_jump = me@gate:2222\n# the jump host's own key Z:\\home\\k.ppk was not "
                 "taken. Make a profile for that host with the key, and name the profile in proxy_jump\n\n");
    assert_shown(cfs_import_putty, "HostName=h\nProxyMethod=6\nProxyHost=fd00::1\nProxyPort=22\nProxyUsername=me\n",
                 "# X: f\n[f]\nhost = h\nproxy_jump = me@[fd00::1]\n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sites_of_filezilla_become_profiles),
        cmocka_unit_test(folders_of_filezilla_are_decoded),
        cmocka_unit_test(passwords_are_told_and_never_taken),
        cmocka_unit_test(names_are_made_valid_and_unique),
        cmocka_unit_test(what_cannot_be_a_profile_is_told),
        cmocka_unit_test(files_that_are_something_else_are_refused),
        cmocka_unit_test(elements_nested_deeply_are_refused),
        cmocka_unit_test(sites_of_winscp_become_profiles),
        cmocka_unit_test(sessions_of_putty_become_profiles),
        cmocka_unit_test(hosts_of_ssh_config_become_profiles),
        cmocka_unit_test(hosts_of_a_file_of_its_own_name_it),
        cmocka_unit_test(ways_through_a_jump_host_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
