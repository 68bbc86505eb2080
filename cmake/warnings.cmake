# SPDX-License-Identifier: MIT
# The warnings that every target of this project is compiled with.
function(mayfly_warnings target)
  if(MSVC)
    # But for those about what C99 allows (initialisers that are no constants) and C11 has (getenv, strncat).
    target_compile_options(${target} PRIVATE /W4 /wd4204 /wd4221 $<$<BOOL:${MAYFLY_WARNINGS_AS_ERRORS}>:/WX>)
    target_compile_definitions(${target} PRIVATE _CRT_SECURE_NO_WARNINGS)
  else()
    target_compile_options(${target} PRIVATE
      -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
      $<$<BOOL:${MAYFLY_WARNINGS_AS_ERRORS}>:-Werror>)
  endif()
  if(MINGW)
    # mingw's printf, which knows C11's formats, instead of msvcrt's; but gcc checks formats as if it were the latter.
    target_compile_definitions(${target} PRIVATE __USE_MINGW_ANSI_STDIO=1)
    target_compile_options(${target} PRIVATE -Wno-format)
  endif()
endfunction()
