/** Takes secrets out of text: known values first, then everything that looks like one. */
export class Redactor {
  /** The longest first: one may contain another. */
  private readonly values: readonly string[];

  /** @param secrets values that must not appear; shorter ones than SHORTEST would take words out of sentences */
  constructor(secrets: Iterable<string>) {
    const all = new Set<string>();
    for (const secret of secrets) for (const form of formsOf(secret)) all.add(form);
    this.values = [...all].filter((value) => value.length >= SHORTEST).sort((a, b) => b.length - a.length);
  }

  redact(text: string): string {
    let left = text;
    for (const value of this.values) left = left.replaceAll(value, REMOVED);
    for (const [pattern, by] of PATTERNS) left = left.replace(pattern, by);
    return left;
  }

  /** Whether a known secret, or what looks like a private key, is in a text: asked of what is about to be written. */
  finds(text: string): boolean {
    return this.values.some((value) => text.includes(value)) || PRIVATE_KEY.test(text);
  }
}

const SHORTEST = 8;
export const REMOVED = '[removed]';
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, REMOVED],
  // In JSON the line breaks of a PEM are escaped, which the pattern above takes, too.
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']*@/gi, `$1${REMOVED}@`],
  // JSON Web Tokens; tokens of OpenBao and Vault; webhook secrets; cloud and forge tokens.
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, REMOVED],
  [/\b(?:hv[sbr]\.|s\.(?=\w{20}))[\w-]{20,}/g, REMOVED],
  [/\bwhsec_[\w+/=-]+/g, REMOVED],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, REMOVED],
  [/\b(?:gh[pousr]|glpat)[_-]\w{20,}/g, REMOVED],
  [
    /\b((?:proxy-)?authorization|cookie|set-cookie|x-vault-token)(["']?\s*[:=]\s*["']?)[^"'\r\n]+/gi,
    `$1$2${REMOVED}`,
  ],
  [
    /\b([\w-]*(?:password|passwd|secret|token|api[_-]?key))(["']?\s*[:=]\s*["']?)(?!\[removed\])[^\s"',;&]{4,}/gi,
    `$1$2${REMOVED}`,
  ],
];

/** A secret as it may be written: as it is, in a URL, in JSON, in base64. */
function formsOf(secret: string): string[] {
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64'),
  ];
}

/** Names of settings whose value is a secret; a test holds it to what docs/configuration.md declares. */
const SECRET_NAME =
  /(PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|PRIVATE|(^|_)PIN$|(^|_)PASS$|ACCESS_KEY|_HEADERS$|DATABASE_([A-Z]+_)?URL$)/;

/** Whether a setting's value is a secret, by its name. Of a file with a secret the path may be told. */
export function isSecretSetting(name: string): boolean {
  return !/_(FILE|DIR)$/.test(name) && SECRET_NAME.test(name);
}

/** The secrets in the value of a setting: the value, and the password in it where it is a URL. */
export function secretsOfSetting(name: string, value: string): string[] {
  const found: string[] = [];
  if (URL.canParse(value)) {
    const { password } = new URL(value);
    if (password !== '') found.push(password, decodeURIComponent(password));
  }
  if (isSecretSetting(name)) found.push(value);
  return found;
}

/** Settings as they may be shown. */
export function shownSettings(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, isSecretSetting(name) ? REMOVED : value]),
  );
}
