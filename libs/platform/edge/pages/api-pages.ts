import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { readContractDocument } from '../contract/load-contract';
import { type StaticPage, StaticPages } from './static-pages';

/** Everything comes from here; styles and scripts are files, and no page may frame it, be its base or take its forms. */
const ONLY_OWN_FILES = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  // Swagger UI's style sheet has its pictures within.
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Illuvrse Kernel API</title>
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png" />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="api"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

/** Requests are sent by programs that sign and retry: the page describes and does not try. */
const START = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#api',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  supportedSubmitMethods: [],
  validatorUrl: null,
});
`;

const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

/**
 * `/openapi.json`, the document as JSON with this server as its only one, and `/docs`, the same for people by Swagger UI
 * (package swagger-ui-dist).
 * @param contractPath the document that requests are checked against
 */
export function apiPages(contractPath: string): StaticPages {
  const require = createRequire(__filename);
  const file = (name: string, contentType: string): [string, StaticPage] => [
    `/docs/${name}`,
    { contentType, content: () => readFileSync(require.resolve(`swagger-ui-dist/${name}`)) },
  ];
  const page = { contentType: HTML, content: () => PAGE, contentSecurityPolicy: ONLY_OWN_FILES };
  return new StaticPages(
    new Map<string, StaticPage>([
      ['/openapi.json', { contentType: 'application/json', content: () => documentText(contractPath) }],
      ['/docs', page],
      ['/docs/', page],
      ['/docs/start.js', { contentType: SCRIPT, content: () => START }],
      file('swagger-ui-bundle.js', SCRIPT),
      file('swagger-ui.css', 'text/css; charset=utf-8'),
      file('favicon-32x32.png', 'image/png'),
    ]),
  );
}

function documentText(contractPath: string): string {
  const document = readContractDocument(contractPath) as object;
  return JSON.stringify({ ...document, servers: [{ url: '/' }] });
}
