# SPDX-License-Identifier: MIT
# libuv as the target Libuv::Libuv, which it brings itself only where it was built with CMake.
find_path(Libuv_INCLUDE_DIR uv.h)
find_library(Libuv_LIBRARY NAMES uv libuv uv_a libuv_a)
if(Libuv_INCLUDE_DIR)
  file(STRINGS ${Libuv_INCLUDE_DIR}/uv/version.h Libuv_VERSION REGEX "define UV_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]" "" Libuv_VERSION "${Libuv_VERSION}")
  list(JOIN Libuv_VERSION . Libuv_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libuv REQUIRED_VARS Libuv_LIBRARY Libuv_INCLUDE_DIR VERSION_VAR Libuv_VERSION)
mark_as_advanced(Libuv_LIBRARY Libuv_INCLUDE_DIR)

if(Libuv_FOUND AND NOT TARGET Libuv::Libuv)
  add_library(Libuv::Libuv UNKNOWN IMPORTED)
  set_target_properties(Libuv::Libuv PROPERTIES
    IMPORTED_LOCATION ${Libuv_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${Libuv_INCLUDE_DIR})
  if(WIN32) # which a static one needs
    target_link_libraries(Libuv::Libuv INTERFACE psapi user32 advapi32 iphlpapi userenv ws2_32)
  endif()
endif()
