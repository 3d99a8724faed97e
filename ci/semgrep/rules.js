// What each rule of rules.yaml has to find (`ruleid`) and has to leave alone (`ok`). Nothing runs this.
// ruleid: no-shell
exec(`ls ${folder}`);
// ruleid: no-shell
childProcess.execSync(command);
// ruleid: no-shell
spawn(program, args, { cwd: folder, shell: true });
// ok: no-shell
spawn(program, args, { cwd: folder });
// ok: no-shell
const found = /^a/.exec(text);

// ruleid: no-code-from-text
eval(text);
// ruleid: no-code-from-text
const run = new Function('a', text);
// ok: no-code-from-text
const parsed = JSON.parse(text);

// ruleid: no-unverified-tls
connect({ host, rejectUnauthorized: false });
// ok: no-unverified-tls
connect({ host, ca });

// ruleid: no-old-tls
connect({ host, minVersion: 'TLSv1.1' });
// ok: no-old-tls
connect({ host, minVersion: 'TLSv1.3' });

// ruleid: no-weak-digest
createHash('sha1');
// ok: no-weak-digest
createHash('sha256');

// ruleid: no-guessable-random
const id = Math.random();
// ok: no-guessable-random
const other = randomUUID();

// ruleid: no-query-from-text
client.query(`SELECT * FROM events WHERE id = '${request.id}'`);
// ok: no-query-from-text
client.query('SELECT * FROM events WHERE id = $1', [request.id]);

// ruleid: no-secret-in-log
logger.warn({ user, password: entered }, 'not signed in');
// ok: no-secret-in-log
logger.warn({ user }, 'not signed in');

// ruleid: no-compared-secret
if (hmac === given) accept();
// ok: no-compared-secret
if (timingSafeEqual(hmac, given)) accept();
// ok: no-compared-secret
if (secret === undefined) refuse();
