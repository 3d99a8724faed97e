const { execFileSync } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const { createServer } = require('node:http');
const { join } = require('node:path');

const root = join(__dirname, '..', '..');
const LOGINS = ['owner', 'runtime', 'worker', 'superuser'];

/**
 * Keeps one PostgreSQL server for each worker of Jest, started when a test of that worker first asks for it
 * (withPostgres of libs/dev/testing) and stopped when the run ends. A run that is killed leaves nothing behind: this
 * process guards the servers.
 */
class PostgresServers {
  /** @type {Map<string, Promise<import('../../libs/dev/testing').TestPostgres>>} */
  servers = new Map();
  path = `/${randomUUID()}/`;
  http = createServer((request, response) => {
    const [, worker] = request.url.split(this.path);
    if (!/^[0-9]+$/.test(worker ?? '')) return response.writeHead(404).end();
    this.of(worker).then(
      (server) => response.end(JSON.stringify(describe(server))),
      (error) => response.writeHead(500).end(error.stack),
    );
  });

  of(worker) {
    const server = this.servers.get(worker) ?? start();
    this.servers.set(worker, server);
    return server;
  }

  /** @returns the address that a worker asks, without the worker's number */
  async listen() {
    await new Promise((resolve) => this.http.listen(0, '127.0.0.1', resolve));
    this.http.unref();
    return `http://127.0.0.1:${this.http.address().port}${this.path}`;
  }

  async stop() {
    this.http.close();
    this.http.closeAllConnections();
    const started = await Promise.allSettled(this.servers.values());
    await Promise.all(started.map(({ value }) => value?.stop()));
  }
}

async function start() {
  // The program that is started here is compiled; this takes milliseconds when no source has changed.
  execFileSync(process.execPath, [join(root, 'scripts', 'prepare.mjs'), '--no-install'], {
    stdio: ['ignore', 2, 2],
  });
  const { startTestPostgres } = require(join(root, 'dist/libs/dev/testing/test-postgres.js'));
  // No test kills these servers, and when the machine fails, so does the test: flushing serves nothing.
  return await startTestPostgres({ settings: { fsync: 'off' } });
}

function describe(server) {
  const { host, port, version, ownerRole, runtimeRole, workerRole } = server;
  const urls = Object.fromEntries(LOGINS.map((login) => [login, server.urlFor(login, '')]));
  return { host, port, version, ownerRole, runtimeRole, workerRole, urls };
}

module.exports = { PostgresServers };
