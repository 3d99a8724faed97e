const { createHash } = require('node:crypto');
const { createTransformer } = require('@swc/jest');
const { swcOptions } = require('../swc-options.cjs');

/** Transformers by their options: most files have the same. */
const transformers = new Map();

function transformerOf(source, file) {
  const options = swcOptions(file, source);
  const key = JSON.stringify(options);
  const transformer = transformers.get(key) ?? createTransformer(JSON.parse(key));
  transformers.set(key, transformer);
  return transformer;
}

/** Jest's transform: compiles a source as the build does (scripts/build.mjs). */
module.exports = {
  process: (source, file, options) => transformerOf(source, file).process(source, file, options),
  getCacheKey: (source, file, options) =>
    createHash('sha256')
      .update(transformerOf(source, file).getCacheKey(source, file, options))
      .digest('hex'),
};
