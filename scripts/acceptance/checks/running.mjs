import { exchange } from '../exchange.mjs';
import { must, notChecked } from '../verdicts.mjs';

const WITHOUT = 'no --management URL is given';

async function answersOf(urls, path) {
  return Promise.all(
    urls.map(async (url) => {
      const answer = await exchange(`${url}${path}`).catch((error) => {
        throw new Error(`${url}${path} does not answer: ${error.message || error.code}`);
      });
      return { url, answer };
    }),
  );
}

/** Names of what a process says about itself (@nestjs/terminus): `error` has what is down. */
function namesOf(answer, member) {
  return Object.keys(answer.json[member] ?? {});
}

export const runningChecks = [
  {
    criterion: 1,
    name: '/health',
    async run({ options: { management } }) {
      if (management.length === 0) notChecked(WITHOUT);
      for (const { url, answer } of await answersOf(management, '/health')) {
        must(answer.status === 200, `${url}/health answered ${answer.status}`);
      }
      return `200 from ${management.join(', ')}`;
    },
  },
  {
    criterion: 1,
    name: '/ready',
    async run({ options: { management } }) {
      if (management.length === 0) notChecked(WITHOUT);
      const said = (await answersOf(management, '/ready')).map(({ url, answer }) => {
        must(
          answer.status === 200,
          `${url}/ready answered ${answer.status}; down: ${namesOf(answer, 'error').join(', ')}`,
        );
        return `${new URL(url).host}: ${namesOf(answer, 'info').join(', ')}`;
      });
      return `200, up are ${said.join('; ')}`;
    },
  },
  {
    criterion: 1,
    name: 'mode and signing',
    async run({ callers: { operator }, shown }) {
      const answer = await operator.get('/kernel/security/status');
      must(answer.status === 200, `/kernel/security/status answered ${answer.status}`);
      const { origin, mode, restoring, signing } = answer.json;
      shown.origin = origin;
      must(!restoring, `${origin} is being restored`);
      must(mode === 'normal', `${origin} is in the mode ${mode}, and takes no writes`);
      must(signing.ok, `${origin} says that it cannot sign`);
      return `${origin} is in the mode normal and can sign`;
    },
  },
];
