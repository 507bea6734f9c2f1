# The builder image: installs dependencies. The runtime image plus uv and npm, so that what is installed fits the
# interpreters that will load it.
ARG BASE
FROM ${BASE}
LABEL hotcell.building=yes
COPY uv /usr/local/bin/uv
COPY npm /usr/local/lib/node_modules/npm
USER 0:0
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
 && chmod -R go-w /usr/local/bin /usr/local/lib/node_modules
USER 10001:10001
