# The pages of web/, built by npm and embedded gzip'd (src/console/pages.hpp). Without node_modules, which ./dev installs,
# nothing is embedded, and the program says so where the pages would be.
find_program(NPM npm)
set(pages_source ${CMAKE_BINARY_DIR}/generated/console/embedded_files.cpp)
if(NPM AND EXISTS ${CMAKE_SOURCE_DIR}/web/node_modules)
  file(GLOB_RECURSE PAGE_SOURCES CONFIGURE_DEPENDS web/src/* web/html/* web/scripts/* clients/typescript/src/*)
  set(pages_built ${CMAKE_BINARY_DIR}/generated/console/pages.built)
  add_custom_command(OUTPUT ${pages_built}
    COMMAND ${NPM} --prefix ${CMAKE_SOURCE_DIR}/web --silent run build
    COMMAND ${CMAKE_COMMAND} -E touch ${pages_built}
    DEPENDS ${PAGE_SOURCES} web/package.json web/package-lock.json VERBATIM)
  set(pages_folder ${CMAKE_SOURCE_DIR}/web/dist)
endif()
add_custom_command(OUTPUT ${pages_source}
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${pages_folder} -DOUT=${pages_source} -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
  DEPENDS ${pages_built} cmake/embed_files.cmake VERBATIM)
target_sources(skirmish_lib PRIVATE ${pages_source})
set_source_files_properties(${pages_source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
