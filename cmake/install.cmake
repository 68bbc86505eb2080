# SPDX-License-Identifier: MIT
# Headers, library, program, and how find_package and pkg-config find them. Who makes packages of it installs the
# components one by one: mayfly_runtime and mayfly_uv_runtime (shared libraries), mayfly_tool, mayfly_development.
include(CMakePackageConfigHelpers)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mayfly)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME mayfly_development)

function(mayfly_install_library target export)
  install(TARGETS ${target} EXPORT ${export}
    RUNTIME COMPONENT ${target}_runtime
    LIBRARY COMPONENT ${target}_runtime NAMELINK_COMPONENT mayfly_development
    ARCHIVE COMPONENT mayfly_development)
endfunction()

mayfly_install_library(mayfly mayfly-targets)
if(MAYFLY_BUILD_TOOL)
  install(TARGETS mayfly_tool RUNTIME COMPONENT mayfly_tool)
endif()
install(DIRECTORY include/mayfly TYPE INCLUDE FILES_MATCHING PATTERN "*.h" PATTERN uv.h EXCLUDE)
install(EXPORT mayfly-targets NAMESPACE mayfly:: DESTINATION ${config_dir})

configure_package_config_file(cmake/mayfly-config.cmake.in mayfly-config.cmake INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(mayfly-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/mayfly-config.cmake ${PROJECT_BINARY_DIR}/mayfly-config-version.cmake
  DESTINATION ${config_dir})

# The .pc file finds the prefix from where it lies itself, so an installed tree can be moved.
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
cmake_path(APPEND pc_includedir "\${prefix}" ${CMAKE_INSTALL_INCLUDEDIR})
cmake_path(APPEND pc_libdir "\${prefix}" ${CMAKE_INSTALL_LIBDIR})
# pkg-config knows no targets: what a static library still needs is spelled out.
if(BUILD_SHARED_LIBS)
  set(pc_cflags -DMAYFLY_SHARED)
elseif(WIN32)
  set(pc_libs "-ladvapi32 -lbcrypt -lmswsock -lntdll -lws2_32")
else()
  set(pc_requires "libcrypto >= 3.0")
  set(pc_libs ${CMAKE_THREAD_LIBS_INIT})
endif()
configure_file(cmake/mayfly.pc.in mayfly.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mayfly.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The component "uv" of the package, and a .pc file of its own.
if(TARGET mayfly_uv)
  mayfly_install_library(mayfly_uv mayfly-uv-targets)
  install(FILES include/mayfly/uv.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mayfly)
  install(EXPORT mayfly-uv-targets NAMESPACE mayfly:: DESTINATION ${config_dir})
  install(FILES cmake/FindLibuv.cmake DESTINATION ${config_dir})
  configure_file(cmake/mayfly_uv.pc.in mayfly_uv.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/mayfly_uv.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
