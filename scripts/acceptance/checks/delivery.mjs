import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { must, notChecked } from '../verdicts.mjs';
import { runGate } from './keys.mjs';

const RUNBOOKS = fileURLToPath(new URL('../../../runbooks/', import.meta.url));

/** The five that the deployment guide asks for, by words of their file names. */
const GUIDES_RUNBOOKS = {
  'KMS unavailable': /kms|signing/,
  'audit append failures': /append|audit/,
  'key compromise': /compromise/,
  'restore drill': /restore/,
  'multisig failure': /multisig|quorum/,
};

export const deliveryChecks = [
  {
    criterion: 5,
    name: 'the gate REQUIRE_KMS refuses',
    async run({ options: { environment } }) {
      const { PATH } = environment;
      const closed = await runGate({ PATH, REQUIRE_KMS: 'true' });
      must(
        closed.code === 1,
        `without a KMS ci/require_kms_check.sh ended with ${closed.code}: ${closed.said}`,
      );
      const unclear = await runGate({ PATH, REQUIRE_KMS: 'yes' });
      must(
        unclear.code === 2,
        `with REQUIRE_KMS=yes ci/require_kms_check.sh ended with ${unclear.code}: ${unclear.said}`,
      );
      return `without a KMS: ${closed.said}`;
    },
  },
  {
    criterion: 5,
    name: 'protected branches',
    run() {
      notChecked(
        "they are settings of the CI server: docs/delivery.md says which, and test/deploy/gitlab-ci holds the pipeline's file",
      );
    },
  },
  {
    criterion: 6,
    name: 'runbooks',
    run() {
      must(existsSync(RUNBOOKS), 'this folder has no runbooks/');
      const names = readdirSync(RUNBOOKS).filter((name) => name.endsWith('.md'));
      const missing = Object.keys(GUIDES_RUNBOOKS).filter(
        (topic) => !names.some((name) => GUIDES_RUNBOOKS[topic].test(name)),
      );
      notChecked(
        `whether people can follow them is for people; here are ${names.join(', ')}${missing.length > 0 ? `; none is about: ${missing.join(', ')}` : ''}`,
      );
    },
  },
];
