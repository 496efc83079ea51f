# Helpers beside the program; nothing here is installed.
