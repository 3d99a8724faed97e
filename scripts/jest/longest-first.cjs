const { default: Sequencer } = require('@jest/test-sequencer');

const REACHES = ['e2e', 'int', 'unit'];

/**
 * Starts what takes longest first, so that no worker is left alone with a long file at the end. Jest itself orders by
 * the times of earlier runs, and by size where there are none: a new machine has none, and the reach says more there.
 */
class LongestFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    const rank = ({ context }) => REACHES.indexOf(context.config.displayName?.name);
    return [...sorted].sort((a, b) => rank(a) - rank(b));
  }
}

module.exports = LongestFirst;
