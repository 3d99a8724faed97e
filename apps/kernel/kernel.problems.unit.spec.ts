import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { EDGE_PROBLEMS } from '#platform/edge';
import { KERNEL_PROBLEMS } from './kernel.problems';

/** Answers to requests that reach no operation, so that the document lists them in its description only. */
const OUTSIDE_OPERATIONS = [
  '405 method_not_allowed',
  '414 uri_too_long',
  '417 expectation_failed',
  '421 misdirected_request',
  '501 not_implemented',
  '505 http_version_not_supported',
];

interface ProblemResponse {
  content: {
    'application/problem+json': {
      schema: { properties: { status: { const: number }; error: { enum?: string[] } } };
    };
  };
}
const {
  info: { description },
  components,
} = parse(readFileSync(join(__dirname, '../../openapi/kernel.yaml'), 'utf8')) as {
  info: { description: string };
  components: { responses: Record<string, ProblemResponse> };
};
/** `405 method_not_allowed` as the description has it, whatever its line breaks. */
const described = (words: string): RegExp => new RegExp(words.replace(/(\d+) (\w+)/, '$1\\s+`$2`'));

function documented(): Set<string> {
  const words = new Set(OUTSIDE_OPERATIONS);
  for (const { content } of Object.values(components.responses)) {
    const { status, error } = content['application/problem+json'].schema.properties;
    // One word alone is what Node's parser refuses: no error of a module.
    for (const word of error.enum ?? []) words.add(`${status.const} ${word}`);
  }
  return words;
}

function produced(): Set<string> {
  const words = new Set<string>();
  for (const { byCode } of [...EDGE_PROBLEMS, ...KERNEL_PROBLEMS]) {
    for (const [code, { status, word }] of Object.entries(byCode)) words.add(`${status} ${word ?? code}`);
  }
  return words;
}

describe('the words in problems', () => {
  it('are all in openapi/kernel.yaml, with their status', () => {
    for (const words of OUTSIDE_OPERATIONS) expect(description).toMatch(described(words));
    const known = documented();
    expect([...produced()].filter((word) => !known.has(word))).toEqual([]);
  });

  it('are no more than the kernel can say', () => {
    const said = produced();
    expect([...documented()].filter((word) => !said.has(word))).toEqual([]);
  });
});
