# Manual pages, for example: dist_man_MANS += man/clusterfs.1
