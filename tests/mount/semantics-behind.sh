#!/usr/bin/env bash
# What a program may rely on with durability = fsync: the same as ever, but for what the server is told only behind. So all
# that looks at the server's side waits for fsync(2) of a folder. Left out is what is different by intention: that
# another machine's file of the same name is seen by O_CREAT | O_EXCL, and what depends on when the server is asked.
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
export top_srcdir
export CLUSTERFS_TEST_PROFILE=durability=fsync CLUSTERFS_TEST_SETTLE=1
exec bash "$top_srcdir/tests/mount/semantics.sh" reading_and_writing_at_offsets small_writes_in_any_order \
    append_goes_to_the_end two_processes_append only_one_creates_exclusively truncation_by_open truncation_down_and_up \
    writers_of_disjoint_ranges modes_of_new_files syncing executing mapped_writing copying_ranges renaming \
    renaming_by_flags renaming_over_an_open_file renaming_an_open_file_and_its_folder unlinked_open_files \
    folder_of_a_process_is_renamed hard_links symbolic_links names_of_every_length setting_times setting_modes \
    writing_changes_the_time inode_numbers positions_in_folders own_changes_are_listed_at_once \
    what_we_closed_the_server_sees
