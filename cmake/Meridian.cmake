# One helper per kind of target. Every target gets its warnings, its sanitizers and its include
# path here, so that no folder sets a flag of its own.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(meridian_flags INTERFACE)
target_compile_options(meridian_flags INTERFACE
  -Wall -Wextra -Werror -Wconversion -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wcast-qual
  -Wvla -Wformat=2 -Wundef -fno-strict-aliasing)
target_compile_definitions(meridian_flags INTERFACE _GNU_SOURCE
  MERIDIAN_VERSION="${PROJECT_VERSION}")
target_link_libraries(meridian_flags INTERFACE Threads::Threads)

if(MERIDIAN_SANITIZE)
  target_compile_options(meridian_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(meridian_flags INTERFACE -fsanitize=address,undefined)
endif()
if(MERIDIAN_TSAN)
  target_compile_options(meridian_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(meridian_flags INTERFACE -fsanitize=thread)
endif()
if(MERIDIAN_FUZZ)
  target_compile_options(meridian_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(MERIDIAN_HARDEN)
  # With the same bytes wherever the tree lies.
  target_compile_options(meridian_flags INTERFACE
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.
    -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE)
  target_link_options(meridian_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

# meridian_packages(target pkg...): links Debian packages by their pkg-config names. Their headers
# are system headers: warnings are about our code.
function(meridian_packages target)
  foreach(package IN LISTS ARGN)
    if(NOT TARGET PkgConfig::${package})
      pkg_check_modules(${package} REQUIRED IMPORTED_TARGET GLOBAL ${package})
    endif()
    target_link_libraries(${target} PUBLIC PkgConfig::${package})
  endforeach()
endfunction()

# meridian_library(name SOURCES a.c ... [USES base ...] [PACKAGES libcurl ...])
# One folder, one library. Its headers are included as "<folder>/<file>.h", where the parent folder
# is on the include path. USES names the libraries whose headers it may include.
function(meridian_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;PACKAGES" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  get_filename_component(parent ${CMAKE_CURRENT_SOURCE_DIR} DIRECTORY)
  target_include_directories(${name} PUBLIC ${parent})
  target_link_libraries(${name} PUBLIC ${arg_USES} PRIVATE meridian_flags)
  meridian_packages(${name} ${arg_PACKAGES})
endfunction()

# meridian_daemon(name LIBRARY lib MAIN main.c): an executable whose code is a library plus a main.
function(meridian_daemon name)
  cmake_parse_arguments(arg "" "LIBRARY;MAIN" "" ${ARGN})
  add_executable(${name} ${arg_MAIN})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARY} meridian_flags)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  install(TARGETS ${name} COMPONENT ${name})
endfunction()

# meridian_test(name SOURCES x_test.c USES lib...): a cmocka program, label "unit".
function(meridian_test name)
  if(NOT MERIDIAN_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_USES} meridian_flags)
  meridian_packages(${name} cmocka)
  target_compile_definitions(${name} PRIVATE
    MERIDIAN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" MERIDIAN_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120
    ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1:abort_on_error=0")
endfunction()

# meridian_fuzz(name SOURCES x_fuzz.c USES lib... CORPUS folder)
# x_fuzz.c defines LLVMFuzzerTestOneInput. With MERIDIAN_FUZZ it is a libFuzzer program; without, a
# program that replays every file of its corpus, run as a test with label "unit".
function(meridian_fuzz name)
  if(NOT MERIDIAN_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "CORPUS" "SOURCES;USES" ${ARGN})
  if(MERIDIAN_FUZZ)
    add_executable(${name} ${arg_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${arg_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
    add_test(NAME ${name} COMMAND ${name} ${arg_CORPUS})
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120)
  endif()
  target_link_libraries(${name} PRIVATE ${arg_USES} meridian_flags)
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()

# meridian_tool(name SOURCES x.c USES lib...): a program that tests run, under
# build/<preset>/tests. It is not installed.
function(meridian_tool name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_USES} meridian_flags)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()

# meridian_bench(name SOURCES x.c USES lib...): a measuring program under build/<preset>/bench.
function(meridian_bench name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;PACKAGES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_USES} meridian_flags)
  meridian_packages(${name} ${arg_PACKAGES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench-bin)
endfunction()
