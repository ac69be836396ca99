# Debian packages by CPack, one a component; scripts/package makes them.

set(daemons meridian-edge meridian-hub meridian-nats)

# What CPack cannot say: owners by sysusers, man pages compressed without a time of their own.
foreach(package IN LISTS daemons)
  install(FILES deploy/systemd/${package}.service
    DESTINATION lib/systemd/system COMPONENT ${package})
  install(FILES deploy/sysusers/${package}.conf DESTINATION lib/sysusers.d COMPONENT ${package})
  install(FILES deploy/tmpfiles/${package}.conf DESTINATION lib/tmpfiles.d COMPONENT ${package})
  install(FILES deploy/man/${package}.8 DESTINATION share/man/man8 COMPONENT ${package})
  set(PACKAGE ${package})
  foreach(script postinst prerm)
    configure_file(deploy/debian/${script}.in packaging/${package}/${script} @ONLY
      FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
      WORLD_READ WORLD_EXECUTE)
  endforeach()
endforeach()
foreach(daemon edge hub)
  install(FILES config/${daemon}.yaml DESTINATION /etc/meridian COMPONENT meridian-${daemon})
  install(FILES deploy/default/meridian-${daemon}
    DESTINATION /etc/default COMPONENT meridian-${daemon})
endforeach()
install(FILES deploy/sysctl/60-meridian-nats.conf
  DESTINATION lib/sysctl.d COMPONENT meridian-nats)
install(FILES deploy/man/meridian.1 DESTINATION share/man/man1 COMPONENT meridian)
install(FILES deploy/completion/meridian
  DESTINATION share/bash-completion/completions COMPONENT meridian)
install(FILES config/regions.yaml DESTINATION share/doc/meridian-cli/examples COMPONENT meridian)
install(FILES deploy/man/meridian-geo.1 DESTINATION share/man/man1 COMPONENT meridian-geo)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_NAME meridian)
set(CPACK_PACKAGE_VENDOR "the Meridian authors")
set(CPACK_PACKAGE_CONTACT "The Meridian authors <packages@meridian.example>")
set(CPACK_COMPONENTS_ALL ${daemons} meridian meridian-geo)
set(CPACK_STRIP_FILES ON)
set(CPACK_SOURCE_DIR ${CMAKE_SOURCE_DIR})
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/PackageFiles.cmake)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# meridian_package(component NAME name SECTION s SUMMARY "..." TEXT "..." [DEPENDS d] [SCRIPTS]
#   [CONFFILES /etc/x ...] [LINKED]): the control file of one package. LINKED: its libraries are
# found out.
function(meridian_package component)
  cmake_parse_arguments(arg "SCRIPTS;LINKED" "NAME;SECTION;SUMMARY;TEXT;DEPENDS;RECOMMENDS"
    "CONFFILES" ${ARGN})
  string(TOUPPER ${component} upper)
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "${arg_SUMMARY}\n${arg_TEXT}" PARENT_SCOPE)
  set(prefix CPACK_DEBIAN_${upper})
  set(${prefix}_PACKAGE_NAME ${arg_NAME} PARENT_SCOPE)
  set(${prefix}_PACKAGE_SECTION ${arg_SECTION} PARENT_SCOPE)
  set(${prefix}_PACKAGE_DEPENDS "${arg_DEPENDS}" PARENT_SCOPE)
  set(${prefix}_PACKAGE_RECOMMENDS "${arg_RECOMMENDS}" PARENT_SCOPE)
  set(${prefix}_PACKAGE_SHLIBDEPS ${arg_LINKED} PARENT_SCOPE)
  if(NOT arg_LINKED)
    set(${prefix}_PACKAGE_ARCHITECTURE all PARENT_SCOPE)
  endif()
  set(control)
  if(arg_SCRIPTS)
    set(folder ${CMAKE_BINARY_DIR}/packaging/${component})
    list(APPEND control ${folder}/postinst ${folder}/prerm)
  endif()
  if(arg_CONFFILES)
    list(JOIN arg_CONFFILES "\n" lines)
    file(CONFIGURE OUTPUT packaging/${component}/conffiles CONTENT "${lines}\n")
    list(APPEND control ${CMAKE_BINARY_DIR}/packaging/${component}/conffiles)
  endif()
  set(${prefix}_PACKAGE_CONTROL_EXTRA "${control}" PARENT_SCOPE)
endfunction()

meridian_package(meridian-edge NAME meridian-edge SECTION net SCRIPTS LINKED
  SUMMARY "edge of a Meridian region"
  TEXT "Clients connect to it by WebSocket and HTTP. It is one of the daemons of\n\
Meridian, a geo-distributed message relay."
  DEPENDS "systemd"
  CONFFILES /etc/meridian/edge.yaml /etc/default/meridian-edge)
meridian_package(meridian-hub NAME meridian-hub SECTION net SCRIPTS LINKED
  SUMMARY "hub of a Meridian region"
  TEXT "It serves the mailboxes of a region. It is one of the daemons of Meridian,\n\
a geo-distributed message relay."
  DEPENDS "systemd"
  CONFFILES /etc/meridian/hub.yaml /etc/default/meridian-hub)
meridian_package(meridian-nats NAME meridian-nats SECTION net SCRIPTS
  SUMMARY "NATS server of a Meridian region"
  TEXT "A unit that runs nats-server as Meridian, a geo-distributed message relay,\n\
needs it."
  DEPENDS "systemd, nats-server (>= 2.11)"
  RECOMMENDS "meridian-cli")
meridian_package(meridian NAME meridian-cli SECTION net LINKED
  SUMMARY "command of Meridian, a geo-distributed message relay"
  TEXT "It provisions regions, makes certificates and configuration, tells how they\n\
are, and sends and shows messages.")
meridian_package(meridian-geo NAME meridian-geo SECTION net LINKED
  SUMMARY "tells which region of Meridian is near"
  TEXT "It ranks the regions of a catalogue for an address, and renders configuration\n\
of DNS servers. Meridian is a geo-distributed message relay.")

set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON) # scripts/package builds what is packed
include(CPack)
