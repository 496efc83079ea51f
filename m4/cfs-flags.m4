# CFS_TRY_CFLAG(VARIABLE, FLAG) appends FLAG to VARIABLE when the compiler takes it without a word.
# -Werror belongs to the probe: clang only warns about what it does not know.
AC_DEFUN([CFS_TRY_CFLAG], [
  AS_VAR_PUSHDEF([result], [cfs_cv_cflag_$2])
  AC_CACHE_CHECK([whether $CC takes $2], [result], [
    cfs_saved_cflags=$CFLAGS
    CFLAGS="$CFLAGS -Werror $2"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [])],
      [AS_VAR_SET([result], [yes])], [AS_VAR_SET([result], [no])])
    CFLAGS=$cfs_saved_cflags
  ])
  AS_VAR_IF([result], [yes], [$1="$$1 $2"])
  AS_VAR_POPDEF([result])
])

# CFS_TRY_CFLAGS(VARIABLE, FLAGS...) does so for each word of FLAGS.
AC_DEFUN([CFS_TRY_CFLAGS], [m4_foreach_w([cfs_flag], [$2], [CFS_TRY_CFLAG([$1], cfs_flag)])])

# CFS_TRY_LDFLAG(VARIABLE, FLAG) is the same for the linker.
AC_DEFUN([CFS_TRY_LDFLAG], [
  AS_VAR_PUSHDEF([result], [cfs_cv_ldflag_$2])
  AC_CACHE_CHECK([whether the linker takes $2], [result], [
    cfs_saved_ldflags=$LDFLAGS
    LDFLAGS="$LDFLAGS $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AS_VAR_SET([result], [yes])], [AS_VAR_SET([result], [no])])
    LDFLAGS=$cfs_saved_ldflags
  ])
  AS_VAR_IF([result], [yes], [$1="$$1 $2"])
  AS_VAR_POPDEF([result])
])
