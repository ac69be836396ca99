# Run by the build: cmake -DOUT=x.c -DNAME=symbol -DSOURCES=a.sql;b.sql -P EmbedSql.cmake
# Writes a C file with the texts as an array of strings, ended by NULL, in the order of their names.
list(SORT SOURCES)
set(content "/* Made by the build from deploy/sql. */\n#include \"store/archive_internal.h\"\n\n")
string(APPEND content "const char *const ${NAME}[] = {\n")
foreach(source IN LISTS SOURCES)
  file(READ ${source} text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
  string(APPEND content "    \"${text}\",\n")
endforeach()
string(APPEND content "    NULL,\n};\n")
file(WRITE ${OUT} "${content}")
