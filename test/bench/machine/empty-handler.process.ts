import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { type AddressInfo } from 'node:net';

/** HTTPS with client certificates as in the service API, with nothing behind it: reads the body, answers `{}`. */
process.once('message', ({ ca, cert, key }: { ca: string; cert: string; key: string }) => {
  const server = createServer(
    {
      ca: readFileSync(ca),
      cert: readFileSync(cert),
      key: readFileSync(key),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      keepAliveTimeout: 65_000,
      noDelay: true,
    },
    (request, response) => {
      request.on('data', () => undefined);
      request.on('end', () => {
        response.setHeader('Content-Type', 'application/json');
        response.end('{}');
      });
    },
  );
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
});
process.on('disconnect', () => process.exit(0));
