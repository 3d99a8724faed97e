const { default: Sequencer } = require('@jest/test-sequencer');

const REACHES = ['e2e', 'int', 'unit'];

/**
 * Starts the longest files first, so that no worker is left alone with a long file at the end. Jest itself orders by
 * the times of earlier runs, and by size where there are none: on a new machine the reach is a better guide than size.
 */
class LongestFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    const rank = ({ context }) => REACHES.indexOf(context.config.displayName?.name);
    return [...sorted].sort((a, b) => rank(a) - rank(b));
  }
}

module.exports = LongestFirst;
