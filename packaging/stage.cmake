# Run by CPack when the tree is laid out as it will be installed: adds what has its place outside the prefix or belongs to
# the package alone.
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
set(here ${CMAKE_CURRENT_LIST_DIR})
file(COPY ${here}/config.yaml DESTINATION ${root}/etc/hotcell)
file(GLOB units ${here}/systemd/*)
file(COPY ${units} DESTINATION ${root}/usr/lib/systemd/system)

# Images fit one kind of processor: the package has what they are made of, and makes them where it is installed.
set(interpreter $ENV{HOTCELL_INTERPRETER})
if(NOT EXISTS "${interpreter}/python.wasm")
  message(FATAL_ERROR "HOTCELL_INTERPRETER must name the folder of python.wasm: use scripts/package")
endif()
set(share ${root}/usr/share/hotcell)
file(REMOVE_RECURSE ${share}/images)
file(CREATE_LINK ../../../var/lib/hotcell-images ${share}/images SYMBOLIC)
file(COPY ${interpreter}/python.wasm ${interpreter}/stdlib.pack ${interpreter}/versions.json
     DESTINATION ${share}/interpreters/python)

# The modes of whoever built the package are not those of root's files.
file(CHMOD ${share}/interpreters/python/python.wasm PERMISSIONS OWNER_READ OWNER_WRITE)
execute_process(COMMAND chmod -R u=rwX,go=rX ${root}/etc ${root}/usr COMMAND_ERROR_IS_FATAL ANY)
