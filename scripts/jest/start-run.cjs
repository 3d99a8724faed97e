const { PostgresServers } = require('./postgres-servers.cjs');

/** Jest's globalSetup of the projects that use real servers. */
module.exports = async () => {
  const servers = new PostgresServers();
  process.env.TEST_POSTGRES_SERVERS = await servers.listen();
  globalThis.postgresServers = servers;
};
