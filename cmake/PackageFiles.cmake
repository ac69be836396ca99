# CPack runs this when all is laid out and nothing is packed yet: what Debian wants in every
# package, and the same times whenever it is made.

set(names_meridian meridian-cli)
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  set(name ${component})
  if(DEFINED names_${component})
    set(name ${names_${component}})
  endif()
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component})
  set(folder ${root}/usr/share/doc/${name})
  file(MAKE_DIRECTORY ${folder})
  file(READ ${CPACK_SOURCE_DIR}/NOTICE notice)
  file(WRITE ${folder}/copyright
    "${notice}\nOn Debian systems the licence is in /usr/share/common-licenses/Apache-2.0.\n")
  string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # of SOURCE_DATE_EPOCH
  file(WRITE ${folder}/changelog "${name} (${CPACK_PACKAGE_VERSION}) stable; urgency=medium\n\n\
  * See the history of the source.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  file(GLOB packed ${root}/usr/share/man/man*/*)
  execute_process(COMMAND gzip -9n ${folder}/changelog ${packed} COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND chmod -R u=rwX,go=rX ${root} COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND find ${root} -exec touch --no-dereference
    --date=@$ENV{SOURCE_DATE_EPOCH} {} + COMMAND_ERROR_IS_FATAL ANY)
endforeach()
