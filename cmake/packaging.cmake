# What `cmake --install` copies, and the packages that CPack makes of it. docs/install.md shows how to use both.
#
#   component program   the program, its systemd units     skirmish_<version>_<arch>.deb
#   component dev       the library, headers, CMake files  skirmish-dev_<version>_<arch>.deb: find_package(skirmish)
#
# Paths are relative to this file, so that tests/packaging can try it with small programs in place of ours.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
get_filename_component(SKIRMISH_ROOT ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)

# ---- the program ----------------------------------------------------------------------------------------------------
if(TARGET skirmish)
  install(TARGETS skirmish RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
endif()
# systemd looks here under /usr and under /usr/local, and finds the program in either's bin.
install(DIRECTORY ${SKIRMISH_ROOT}/deploy/systemd/ DESTINATION lib/systemd/system COMPONENT program
  FILES_MATCHING PATTERN "*.service")
install(FILES ${SKIRMISH_ROOT}/deploy/beat.toml ${SKIRMISH_ROOT}/deploy/nginx/skirmish.conf
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/skirmish/examples COMPONENT program)
install(FILES ${SKIRMISH_ROOT}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/skirmish RENAME copyright
  COMPONENT program)

# ---- the library ----------------------------------------------------------------------------------------------------
install(TARGETS skirmish_tasks ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(DIRECTORY ${SKIRMISH_ROOT}/include/skirmish DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
# What cache.hpp stands on: the Redis client, task groups, metrics.
foreach(part core redis metrics)
  install(DIRECTORY ${SKIRMISH_ROOT}/src/${part} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/skirmish/internal
    COMPONENT dev FILES_MATCHING PATTERN "*.hpp")
endforeach()
configure_package_config_file(${SKIRMISH_ROOT}/cmake/skirmish-config.cmake.in
  ${CMAKE_BINARY_DIR}/skirmish-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/skirmish
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/skirmish-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/skirmish-config.cmake ${CMAKE_BINARY_DIR}/skirmish-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/skirmish COMPONENT dev)

# ---- the packages ---------------------------------------------------------------------------------------------------
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME skirmish)
set(CPACK_PACKAGE_CONTACT "The Skirmish developers <skirmish@localhost>" CACHE STRING "Maintainer of the packages")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_COMPONENTS_ALL program dev)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME skirmish)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION games)
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "real-time game backend on Redis and SQL
 One program: an API server, a status worker, background tasks and tools. The
 services are installed and neither enabled nor started.")
# The libraries that the program links, in the versions that it was built with.
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
# Without REDIS_URL the program starts a server of its own.
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "valkey-server | redis-server")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "mariadb-server, nginx-light")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA
  "${SKIRMISH_ROOT}/deploy/debian/postinst;${SKIRMISH_ROOT}/deploy/debian/prerm;${SKIRMISH_ROOT}/deploy/debian/postrm")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME skirmish-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_DESCRIPTION "real-time game backend: library for tasks and the cache
 Static library, headers and CMake package. Needs the headers of Boost 1.91 or
 newer, which Debian's stable releases lack.")
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
  "libfmt-dev, libspdlog-dev, libsodium-dev, libssl-dev, zlib1g-dev, pkgconf | pkg-config")
include(CPack)
