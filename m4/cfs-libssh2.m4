# CFS_LIBSSH2: sets LIBSSH2_CFLAGS, LIBSSH2_LIBS, CFS_LIBSSH2_FROM and CFS_DEPS_FOLDER.
#
# A private libssh2 (contrib/setup builds one where the distribution's is too old) goes first and is
# linked statically, so that the installed program runs without an rpath.
AC_DEFUN([CFS_LIBSSH2], [
  AC_ARG_VAR([CLUSTERFS_DEPS], [folder with a private libssh2/ (include/, lib/libssh2.a); default: .deps in the source])
  CFS_DEPS_FOLDER=
  cfs_source_folder=`cd "$srcdir" && pwd`
  for cfs_folder in "$CLUSTERFS_DEPS" "$cfs_source_folder/.deps"; do
    if test -n "$cfs_folder" && test -f "$cfs_folder/libssh2/lib/libssh2.a"; then
      CFS_DEPS_FOLDER=$cfs_folder
      break
    fi
  done

  if test -n "$CFS_DEPS_FOLDER"; then
    PKG_CHECK_MODULES([ZLIB], [zlib], [], [AC_MSG_ERROR([libssh2 needs zlib. Run contrib/setup])])
    LIBSSH2_CFLAGS="-isystem $CFS_DEPS_FOLDER/libssh2/include"
    LIBSSH2_LIBS="$CFS_DEPS_FOLDER/libssh2/lib/libssh2.a $OPENSSL_LIBS $ZLIB_LIBS"
    CFS_LIBSSH2_FROM="$CFS_DEPS_FOLDER/libssh2 (static)"
  else
    PKG_CHECK_MODULES([LIBSSH2], [libssh2], [CFS_LIBSSH2_FROM="the system"],
      [AC_MSG_ERROR([libssh2 was not found. Run contrib/setup, which installs or builds it])])
  fi

  cfs_saved_cflags=$CFLAGS
  cfs_saved_libs=$LIBS
  CFLAGS="$CFLAGS $LIBSSH2_CFLAGS"
  LIBS="$LIBSSH2_LIBS $LIBS"
  AC_MSG_CHECKING([whether libssh2 of $CFS_LIBSSH2_FROM is 1.11.1 or newer])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#include <libssh2.h>
#if LIBSSH2_VERSION_NUM < 0x010b01
#error too old
#endif
]], [[return libssh2_init(0);]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([libssh2 >= 1.11.1 is needed: an older one has no rsa-sha2 signatures, so RSA keys cannot log in to
OpenSSH >= 8.8. Run contrib/setup: it builds a private libssh2 into .deps where the distribution's is too old])])
  CFLAGS=$cfs_saved_cflags
  LIBS=$cfs_saved_libs
  AC_SUBST([LIBSSH2_CFLAGS])
  AC_SUBST([LIBSSH2_LIBS])
  AC_SUBST([CFS_DEPS_FOLDER])
  AM_CONDITIONAL([PRIVATE_DEPS], [test -n "$CFS_DEPS_FOLDER"])
])
