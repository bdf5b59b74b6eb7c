dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl weir-summary.m4 - what was found and chosen: printed by configure, and in
dnl config.h for `weir --version --verbose`.

AC_DEFUN([WEIR_SUMMARY], [
  weir_say_prefix=$prefix
  AS_VAR_IF([prefix], [NONE], [weir_say_prefix=$ac_default_prefix])
  weir_say_check=yes
  AS_VAR_IF([have_check], [no], [weir_say_check="no: install check"])
  weir_say_text=yes
  AS_VAR_IF([have_pcre2], [no],
    [weir_say_text="without grep and replace${weir_say_pcre2#no}"])
  weir_say_plugins="in files of their own"
  AS_VAR_IF([enable_shared], [no], [weir_say_plugins="in the program"])

  weir_summary="
  weir $PACKAGE_VERSION, plugin ABI $weir_abi

  compiler           $CC
  prefix             $weir_say_prefix
  plugins            $weir_say_plugins

  plugin file        yes
  plugin flow        yes
  plugin text        $weir_say_text
  plugin zstd        $weir_say_zstd
  journals of runs   $weir_say_sqlite
  unit tests         $weir_say_check

  sanitizers         $enable_sanitizers
  faults             $enable_faults
  coverage           $enable_coverage
  werror             $enable_werror
"
  AC_DEFINE_UNQUOTED([WEIR_FEATURES],
    ["plugins: $weir_say_plugins; pcre2: $have_pcre2; zstd: $have_zstd; sqlite: $have_sqlite; sanitizers: $enable_sanitizers; faults: $enable_faults; coverage: $enable_coverage"],
    [What configure found and chose, for weir --version --verbose.])
])
