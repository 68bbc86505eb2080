# SPDX-License-Identifier: MIT
# libmayfly_uv: connections on a libuv loop. Afterwards the target mayfly_uv exists, or it does not.
if(MAYFLY_BUILD_UV STREQUAL "AUTO" AND NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
list(APPEND CMAKE_MODULE_PATH ${PROJECT_SOURCE_DIR}/cmake)
if(MAYFLY_BUILD_UV STREQUAL "AUTO")
  find_package(Libuv 1.44)
elseif(MAYFLY_BUILD_UV)
  find_package(Libuv 1.44 REQUIRED)
else()
  return()
endif()
if(NOT Libuv_FOUND)
  return()
endif()

# What carries a connection, and how a listener is watched, is a file for each way.
if(MAYFLY_UV_STREAM)
  set(transport src/uv/transport_stream.c)
else()
  set(transport src/uv/transport_poll.c)
endif()
if(WIN32)
  set(watch src/uv/watch_async.c)
else()
  set(watch src/uv/watch_poll.c)
endif()

add_library(mayfly_uv
  ${transport}
  ${watch}
  src/uv/connecting.c
  src/uv/connection.c
  src/uv/input.c
  src/uv/listener.c
  src/uv/loop.c
  src/uv/opening.c
  src/uv/queue.c)
add_library(mayfly::uv ALIAS mayfly_uv)
target_link_libraries(mayfly_uv PUBLIC mayfly Libuv::Libuv)
target_compile_definitions(mayfly_uv PRIVATE MAYFLY_BUILDING $<$<BOOL:${MAYFLY_UV_STREAM}>:MF_UV_STREAM>)
# <uv.h> needs the system's extensions, so C_EXTENSIONS stays on.
set_target_properties(mayfly_uv PROPERTIES
  C_STANDARD 11 C_STANDARD_REQUIRED ON C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON
  EXPORT_NAME uv VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
mayfly_warnings(mayfly_uv)
