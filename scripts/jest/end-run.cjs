/** Jest's globalTeardown: what start-run.cjs and the tests have started ends. */
module.exports = async () => {
  await globalThis.postgresServers?.stop();
};
