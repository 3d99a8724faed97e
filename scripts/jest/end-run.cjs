/** Jest's globalTeardown: stops what start-run.cjs and the tests have started. */
module.exports = async () => {
  await globalThis.postgresServers?.stop();
};
